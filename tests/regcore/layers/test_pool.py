import numpy as np
import pytest
import torch

from regcore.at import At
from regcore.layers import Pool
from regcore.layers.forward import ForwardPass, bind
from regcore.shapes import RowInfo


@pytest.mark.parametrize(("method", "of"), [("max", np.max), ("mean", np.mean)])
def test_each_window_becomes_one_number(method, of):
    x = torch.randn(2, 3, 4, 6, 7, dtype=torch.float64)
    nodes = bind([[Pool(method=method, size=[2, 3])]] * 2, RowInfo((4, 6, 7)))

    y = ForwardPass({}, At(0, 1, 1, (0, 1))).run(nodes, x)

    windows = x[..., :6].numpy().reshape(2, 3, 4, 3, 2, 2, 3)
    np.testing.assert_allclose(y.numpy(), of(windows, axis=(4, 6)))


def test_windows_overlap_if_the_stride_is_less_than_the_size():
    assert Pool(size=3, stride=2).output(RowInfo((4, 7, 7))).shape == (4, 3, 3)
