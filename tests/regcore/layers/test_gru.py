import torch

from regcore.layers import Gru
from regcore.shapes import RowInfo


def test_it_computes_its_formula():
    module = Gru(hidden=3).module(RowInfo((2, 4))).double()
    x = torch.randn(1, 2, 4, dtype=torch.float64)

    first, second = module(x)[0]

    w, u = module.weight_ih_l0.view(3, 3, 4), module.weight_hh_l0.view(3, 3, 3)
    b, d = module.bias_ih_l0.view(3, 3), module.bias_hh_l0.view(3, 3)
    h = torch.zeros(3, dtype=torch.float64)
    for step, shown in zip(x[0], (first, second), strict=True):
        r, z = (torch.sigmoid(w[k] @ step + b[k] + u[k] @ h + d[k]) for k in (0, 1))
        n = torch.tanh(w[2] @ step + b[2] + r * (u[2] @ h + d[2]))
        h = (1 - z) * n + z * h
        torch.testing.assert_close(shown, h)
