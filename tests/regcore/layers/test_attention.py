import pytest
import torch
from torch import nn

from regcore.layers import Attention
from regcore.shapes import RowInfo

STEPS = RowInfo((6, 8), varies=True)


@pytest.mark.parametrize("bias", [True, False])
def test_it_is_torchs_with_a_mask_of_padding(bias):
    module = Attention(num_heads=2, bias=bias).module(STEPS).double()
    twin = nn.MultiheadAttention(8, 2, bias=bias, batch_first=True).double()
    twin.load_state_dict(module.state_dict())
    x, lengths = torch.randn(3, *STEPS.shape, dtype=torch.float64), torch.tensor([6, 1, 4])

    outputs = module(x, lengths)

    is_padding = torch.tensor([[False] * length + [True] * (6 - length) for length in lengths.tolist()])
    torch.testing.assert_close(outputs, twin(x, x, x, key_padding_mask=is_padding)[0])


def test_it_begins_as_torchs_does():
    """With values of the same law, in tensors of the same names and shapes."""
    infos = {info.name: info for info in Attention(num_heads=2).tensors(STEPS)}

    theirs = dict(nn.MultiheadAttention(8, 2).named_parameters())
    assert {name: info.shape for name, info in infos.items()} == {name: tuple(t.shape) for name, t in theirs.items()}
    for name, tensor in theirs.items():
        law, size = infos[name].first
        assert law == ("fill" if name.endswith("bias") else "uniform")
        assert tensor.abs().max() <= size
        assert tensor.abs().max() >= 0.8 * size


def test_heads_that_do_not_divide_the_features_are_refused():
    with pytest.raises(ValueError, match=r"attention of 3 heads expects a multiple of 3 features.*it gets \(6, 8\)"):
        Attention(num_heads=3).output(STEPS)
