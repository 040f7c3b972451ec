import pytest
import torch
from pydantic import ValidationError
from scipy.signal import correlate2d

from regcore.layers import Conv1d, complete
from regcore.shapes import RowInfo

VARYING = RowInfo((9, 4), varies=True)


def test_a_filter_is_correlated_with_each_window_of_steps():
    layer = Conv1d(channels=3, kernel_size=2, stride=3, padding=1)
    module = layer.module(RowInfo((9, 4))).double()
    x = torch.randn(5, 9, 4, dtype=torch.float64)

    outputs = module(x)

    row, unit = 2, 1
    padded = torch.cat([torch.zeros(1, 4), x[row], torch.zeros(1, 4)]).numpy()
    whole = correlate2d(padded, module.weight[unit].detach().T.numpy(), mode="valid")
    torch.testing.assert_close(outputs[row, :, unit], torch.from_numpy(whole[::3, 0]) + module.bias[unit])


@pytest.mark.parametrize(("padding", "stride"), [(0, 1), (0, 2), (2, 1), (2, 2), ("same", 1), ("valid", 2)])
def test_a_row_that_is_padded_gives_what_it_gives_alone(padding, stride):
    layer = Conv1d(channels=3, kernel_size=3, stride=stride, padding=padding)
    module = layer.module(VARYING).double()
    x, lengths = torch.randn(4, 9, 4, dtype=torch.float64), torch.tensor([9, 3, 5, 8])

    outputs = module(x, lengths)

    for row, length, num_used, given in zip(x, lengths, module.lengths_behind(lengths), outputs, strict=True):
        alone = module(row[:length].unsqueeze(0))[0]
        assert len(alone) == num_used
        torch.testing.assert_close(given[:num_used], alone)


def test_a_row_shorter_than_the_window_goes_on_with_zeros():
    module = Conv1d(channels=3, kernel_size=4).module(VARYING).double()
    x = torch.randn(1, 2, 4, dtype=torch.float64)

    outputs = module(x, torch.tensor([2]))

    assert module.lengths_behind(torch.tensor([2])).tolist() == [1]
    torch.testing.assert_close(outputs, module(torch.cat([x, torch.zeros(1, 2, 4)], dim=1)))


def test_its_first_values_are_drawn_as_torch_draws_them():
    layer, seen = Conv1d(channels=200, kernel_size=3), RowInfo((8, 4))
    module = layer.module(seen)

    for info in layer.tensors(seen):
        law, bound = info.first
        assert law == "uniform"
        drawn = getattr(module, info.name)
        assert 0.95 * bound < drawn.abs().max() <= bound


def test_it_reads_an_image_as_the_sequence_of_its_rows():
    layers = complete([Conv1d(channels=3)], RowInfo((2, 8, 5)), None)

    assert [layer.kind for layer in layers] == ["image_rows", "conv1d"]
    assert layers[1].tensors(RowInfo((8, 10)))[0].shape == (3, 10, 3)


def test_same_padding_needs_a_stride_of_one():
    with pytest.raises(ValidationError, match="needs stride=1; received stride=2"):
        Conv1d(channels=3, padding="same", stride=2)
