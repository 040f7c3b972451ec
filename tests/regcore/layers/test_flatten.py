import pytest
import torch

from regcore.layers import Flatten
from regcore.shapes import RowInfo


@pytest.mark.parametrize(("shape", "flat"), [((3,), 3), ((2, 3), 6), ((1, 8, 8), 64)])
def test_all_values_of_a_row_come_into_one_vector_in_their_order(shape, flat):
    x = torch.randn(2, 5, *shape)

    y = Flatten().forward(x, {}, None)

    assert Flatten().output(RowInfo(shape)) == RowInfo((flat,))
    assert torch.equal(y, x.reshape(2, 5, flat))
