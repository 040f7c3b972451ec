import pytest
import torch

from regcore.layers import GlobalPool
from regcore.shapes import RowInfo

OF_A_ROW = {
    "mean": lambda row: row.mean(0),
    "max": lambda row: row.max(0).values,
    "first": lambda row: row[0],
    "last": lambda row: row[-1],
}


@pytest.mark.parametrize("method", OF_A_ROW)
def test_of_a_sequence_the_steps_in_use_count(method):
    x, lengths = torch.randn(3, 6, 4), torch.tensor([6, 1, 4])
    x[1, 1:] = torch.inf
    x[2, 4:] = -torch.nan

    outputs = GlobalPool(method=method).module(RowInfo((6, 4), varies=True))(x, lengths)

    cut = [row[:length] for row, length in zip(x, lengths.tolist(), strict=True)]
    torch.testing.assert_close(outputs, torch.stack([OF_A_ROW[method](row) for row in cut]))
    assert GlobalPool(method=method).output(RowInfo((6, 4), varies=True)) == RowInfo((4,))


@pytest.mark.parametrize(
    ("method", "twin"), [("mean", torch.nn.AdaptiveAvgPool2d), ("max", torch.nn.AdaptiveMaxPool2d)]
)
def test_of_an_image_each_channel_becomes_one_number(method, twin):
    x = torch.randn(2, 3, 4, 5)

    outputs = GlobalPool(method=method).module(RowInfo((3, 4, 5)))(x)

    torch.testing.assert_close(outputs, twin(1)(x).flatten(1))
    assert GlobalPool(method=method).output(RowInfo((3, 4, 5))) == RowInfo((3,))


@pytest.mark.parametrize(
    ("method", "shape", "message"),
    [
        ("last", (3, 4, 5), r"global_pool by last expects \(steps, features\); it gets \(3, 4, 5\)"),
        ("mean", (4,), r"global_pool expects \(steps, features\) or \(C, H, W\); it gets \(4,\)"),
    ],
)
def test_other_rows_are_refused(method, shape, message):
    with pytest.raises(ValueError, match=message):
        GlobalPool(method=method).output(RowInfo(shape))
