import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from regcore.layers import Conv2d, TransposedConv2d
from regcore.shapes import RowInfo

SEEN = RowInfo((3, 5, 4))


def test_it_is_the_adjoint_of_the_convolution_with_the_same_weights():
    """⟨conv(u), v⟩ = ⟨u, transposed(v)⟩, for images u of the size that it gives."""
    layer = TransposedConv2d(channels=2, kernel_size=3, stride=2, padding=1, output_padding=[1, 0], bias=False)
    module = layer.module(SEEN).double()
    v = torch.randn(1, *SEEN.shape, dtype=torch.float64)
    u = torch.randn(1, *layer.output(SEEN).shape, dtype=torch.float64)

    given = module(v)

    convolved = functional.conv2d(u, module.weight, stride=2, padding=1)
    torch.testing.assert_close((convolved * v).sum(), (u * given).sum())


@pytest.mark.parametrize("side", [5, 6, 7, 8])
def test_it_is_the_way_back_from_a_convolution_to_every_side(side):
    image = RowInfo((1, side, 6))
    seen = Conv2d(channels=3, stride=2, padding=1).output(image)

    back = TransposedConv2d(channels=1, stride=2, padding=1, output_padding=[1 - side % 2, 1]).output(seen)

    assert back == image


def test_its_first_values_are_drawn_as_torch_draws_them():
    layer, seen = TransposedConv2d(channels=8, kernel_size=3), RowInfo((200, 4, 4))
    module = layer.module(seen)

    weight, bias = layer.tensors(seen)

    assert weight.axes == "iokk"
    assert weight.first == bias.first
    assert 0.95 * weight.first[1] < module.weight.abs().max() <= weight.first[1]
    assert module.bias.abs().max() <= bias.first[1]


def test_it_must_leave_something():
    with pytest.raises(ValueError, match=r"of which padding=9 leaves something; it gets \(3, 5, 4\)"):
        TransposedConv2d(channels=2, padding=9).output(SEEN)


@pytest.mark.parametrize("fields", [{"output_padding": 1}, {"stride": [2, 1], "output_padding": [1, 1]}])
def test_output_padding_is_below_the_stride(fields):
    with pytest.raises(ValidationError, match="output_padding must be below stride; received output_padding="):
        TransposedConv2d(channels=2, **fields)
