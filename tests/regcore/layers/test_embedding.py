import pytest
import torch
from torch import nn

from regcore.layers import Embedding
from regcore.loop.network import first_tensors
from regcore.shapes import RowInfo

TOKENS = RowInfo((5,), tokens=7, varies=True)


def test_it_is_torchs_whose_padding_is_token_0():
    weight = first_tensors([Embedding(features=3)], TOKENS, 4)["embedding1.weight"].float()
    ours, theirs = Embedding(features=3).module(TOKENS), nn.Embedding(7, 3, padding_idx=0)
    for module in (ours, theirs):
        module.load_state_dict({"weight": weight})
    x = torch.tensor([[3, 1, 0, 3, 0]])

    assert torch.equal(ours(x), theirs(x))
    assert not ours(x)[x == 0].any()
    by_output = torch.randn(1, 5, 3)
    gradients = [torch.autograd.grad(module(x), module.weight, by_output)[0] for module in (ours, theirs)]
    assert torch.equal(*gradients)
    assert gradients[0].any(1).tolist() == [False, True, False, True, False, False, False]


def test_its_first_vectors_are_normal_but_that_of_padding():
    weight = first_tensors([Embedding(features=200)], RowInfo((5,), tokens=100), 0)["embedding1.weight"]

    assert not weight[0].any()
    assert float(weight[1:].std()) == pytest.approx(1, abs=0.02)


def test_regularizers_leave_it_alone_unless_it_is_named():
    (info,) = Embedding(features=3).tensors(TOKENS)

    assert (info.role, info.axes, info.shape) == ("embedding", "oi", (7, 3))


def test_numbers_are_refused():
    with pytest.raises(ValueError, match=r"embedding expects tokens, which are integers; it gets numbers, \(4,\)"):
        Embedding(features=3).output(RowInfo((4,)))
