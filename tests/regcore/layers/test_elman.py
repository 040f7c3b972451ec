import pytest
import torch

from regcore.layers import Elman
from regcore.shapes import RowInfo


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_it_computes_its_formula(nonlinearity):
    module = Elman(hidden=3, nonlinearity=nonlinearity).module(RowInfo((2, 4))).double()
    x = torch.randn(1, 2, 4, dtype=torch.float64)

    outputs = module(x)[0]

    h = torch.zeros(3, dtype=torch.float64)
    for step, shown in zip(x[0], outputs, strict=True):
        driven = module.weight_ih_l0 @ step + module.bias_ih_l0 + module.weight_hh_l0 @ h + module.bias_hh_l0
        h = getattr(torch, nonlinearity)(driven)
        torch.testing.assert_close(shown, h)
