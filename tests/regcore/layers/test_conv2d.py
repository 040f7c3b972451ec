import pytest
import torch
from pydantic import ValidationError
from scipy.signal import correlate2d

from regcore.at import At
from regcore.layers import Conv2d
from regcore.layers.forward import ForwardPass, bind
from regcore.shapes import RowInfo


@pytest.mark.parametrize("num_channels", [2, 5], ids=["one by one", "in groups"])
def test_a_filter_is_correlated_with_each_window(num_channels):
    weight = torch.randn(2, 3, num_channels, 3, 2, dtype=torch.float64)
    bias = torch.randn(2, 3, dtype=torch.float64)
    x = torch.randn(2, 4, num_channels, 6, 5, dtype=torch.float64)
    layer = Conv2d(channels=3, kernel_size=[3, 2], stride=[2, 1])
    nodes = bind([[layer]] * 2, RowInfo((num_channels, 6, 5)))

    y = ForwardPass({"head.weight": weight, "head.bias": bias}, At(0, 1, 1, (0, 1))).run(nodes, x)

    for k, row, unit in [(0, 0, 0), (1, 3, 2), (1, 2, 1)]:
        whole = sum(correlate2d(x[k, row, c], weight[k, unit, c], mode="valid") for c in range(num_channels))
        torch.testing.assert_close(y[k, row, unit], torch.from_numpy(whole[::2]) + bias[k, unit])


@pytest.mark.parametrize(("num_channels", "num_filters", "is_last"), [(1, 8, True), (3, 9, True), (3, 7, False)])
def test_of_eight_filters_or_more_the_channels_of_a_pixel_are_together_in_memory(num_channels, num_filters, is_last):
    seen, layer = RowInfo((num_channels, 6, 5)), Conv2d(channels=num_filters, padding=1)
    module, x = layer.module(seen), torch.randn(4, *seen.shape)
    tensors = {f"head.{name}": tensor.unsqueeze(0) for name, tensor in module.named_parameters()}

    (y,) = ForwardPass(tensors, At(0, 1, 1, (0,))).run(bind([[layer]], seen), x.unsqueeze(0))

    torch.testing.assert_close(y, module(x))
    assert (y.stride(1) == 1) == is_last


def test_its_first_values_are_drawn_as_torch_draws_them():
    layer, seen = Conv2d(channels=200, kernel_size=3), RowInfo((4, 8, 8))
    module = layer.module(seen)

    for info in layer.tensors(seen):
        law, bound = info.first
        assert law == "uniform"
        drawn = getattr(module, info.name)
        assert drawn.abs().max() <= bound
        assert drawn.abs().max() > 0.95 * bound


@pytest.mark.parametrize("stride", [2, [1, 2]])
def test_same_padding_needs_a_stride_of_one(stride):
    with pytest.raises(ValidationError, match="needs stride=1; received stride="):
        Conv2d(channels=3, padding="same", stride=stride)


@pytest.mark.parametrize("fields", [{"kernel_size": 0}, {"kernel_size": [3]}, {"padding": -1}, {"padding": "full"}])
def test_sizes_are_one_or_two_positive_numbers(fields):
    with pytest.raises(ValidationError):
        Conv2d(channels=3, **fields)
