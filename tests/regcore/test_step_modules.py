import pytest
import torch

from regcore.layers import Activation, Conv1d, GlobalPool, Pool, Residual, build_module
from regcore.layers.batch_norm import BatchNorm
from regcore.shapes import RowInfo
from regcore.step_modules import StepBatchNorm, StepPool, padded_steps, places_in_use

LENGTHS = torch.tensor([8, 1, 3, 6])


@pytest.mark.parametrize(("window", "stride", "padding"), [(3, 1, 0), (3, 2, 1), (2, 2, 0), (5, 3, 2)])
def test_places_in_use_are_those_of_a_row_alone(window, stride, padding):
    found = places_in_use(LENGTHS, window, stride, padding)

    alone = [len(range(0, length + 2 * padding - window + 1, stride)) for length in LENGTHS.tolist()]
    assert found.tolist() == [max(1, places) for places in alone]


def test_steps_are_filled_up_to_a_window():
    x = torch.ones(1, 2, 3)

    assert padded_steps(x, None, (0, 0), 4)[0, :, 0].tolist() == [1, 1, 0, 0]
    assert padded_steps(x, torch.tensor([[True, False]]), (1, 2), 2)[0, :, 0].tolist() == [0, 1, 0, 0, 0]


@pytest.mark.parametrize("method", ["max", "mean"])
@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 1), (2, 3)])
def test_pooling_is_torchs_of_each_row_alone(method, size, stride):
    twin = {"max": torch.nn.MaxPool1d, "mean": torch.nn.AvgPool1d}[method](size, stride)
    module, x = StepPool(method, size, stride), torch.randn(4, 8, 3)

    outputs = module(x, LENGTHS)

    torch.testing.assert_close(module(x), twin(x.mT).mT)
    for row, length, num_used, given in zip(x, LENGTHS, module.lengths_behind(LENGTHS), outputs, strict=True):
        assert torch.isfinite(given).all()
        if length >= size:
            torch.testing.assert_close(given[:num_used], twin(row[:length].T.unsqueeze(0))[0].T)


def test_the_largest_of_less_than_a_window_is_the_largest_there_is():
    outputs = StepPool("max", 3, 3)(-torch.ones(1, 2, 1), torch.tensor([1]))

    assert outputs.tolist() == [[[-1]]]


def test_batch_norm_is_torchs_of_all_steps_in_use():
    module, twin = StepBatchNorm(3).double(), torch.nn.BatchNorm1d(3).double()
    x = torch.randn(4, 8, 3, dtype=torch.float64)
    steps = torch.cat([row[:length] for row, length in zip(x, LENGTHS, strict=True)])

    outputs = module(x, LENGTHS)

    used = torch.cat([row[:length] for row, length in zip(outputs, LENGTHS, strict=True)])
    torch.testing.assert_close(used, twin(steps))
    torch.testing.assert_close(module.state_dict(), twin.state_dict())
    torch.testing.assert_close(module.eval()(x, LENGTHS)[0], twin.eval()(x[0]))


def test_what_a_row_does_not_use_changes_nothing_through_a_whole_network():
    seen = RowInfo((8, 3), varies=True)
    layers = [
        Conv1d(channels=4, padding=1),
        BatchNorm(),
        Activation(name="sigmoid"),  # not 0 where there is nothing
        Pool(size=2),
        Residual(layers=[Conv1d(channels=4, padding=1), Activation()]),
        Conv1d(channels=2, kernel_size=2, stride=2),
        GlobalPool(method="mean"),
    ]
    network = build_module(layers, seen).double().eval()
    x = torch.randn(4, 8, 3, dtype=torch.float64)

    outputs = network(x, LENGTHS)

    filled = x.clone()
    for row, length in zip(filled, LENGTHS, strict=True):
        row[length:] = 7
    torch.testing.assert_close(network(filled, LENGTHS), outputs)
    for row, length, given in zip(x, LENGTHS, outputs, strict=True):
        if length >= 4:  # as long as all its windows
            torch.testing.assert_close(network(row[:length].unsqueeze(0))[0], given)
