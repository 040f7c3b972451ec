import pytest
import torch

from regcore.layers import Flatten, LayerContext


@pytest.mark.parametrize(("shape", "flat"), [((3,), 3), ((2, 3), 6), ((1, 8, 8), 64)])
def test_all_values_of_a_row_come_into_one_vector_in_their_order(shape, flat):
    x = torch.randn(2, 5, *shape)

    y = Flatten().forward(x, {}, LayerContext("flatten1", training=True))

    assert Flatten().output_shape(shape) == (flat,)
    assert torch.equal(y, x.reshape(2, 5, flat))
