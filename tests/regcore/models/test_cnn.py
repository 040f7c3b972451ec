import pytest
from torch import nn
from twins import assert_same, built, with_weights

from regcore.models.cnn import CNNModel
from regcore.shapes import RowInfo


class OverSteps(nn.Module):
    """As people write it: (B, steps, features) to channels first, the largest value over all steps."""

    def __init__(self, stages, head, embedding=None):
        super().__init__()
        self.embedding, self.stages, self.head = embedding, stages, head

    def forward(self, x):
        x = x if self.embedding is None else self.embedding(x)
        return self.head(self.stages(x.transpose(1, 2)).amax(2))


def stage(conv, norm, pool, inputs, outputs):
    return [conv(inputs, outputs, 3, padding=1), norm(outputs), nn.ReLU(), pool(2)]


def test_over_images_it_is_the_network_written_by_hand():
    row = RowInfo((2, 9, 8))
    network = built({"kind": "cnn", "channels": [4, 6]}, row)
    twin = nn.Sequential(
        *stage(nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, 2, 4),
        *stage(nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, 4, 6),
        nn.Flatten(),
        nn.Linear(6 * 2 * 2, 3),
    )

    assert_same(network, with_weights(twin, network), row)


def test_every_field_is_in_the_network():
    row = RowInfo((1, 8, 8))
    fields = {"kernel_size": 5, "norm": "group", "pool": None, "hidden": [7], "activation": "tanh"}
    network = built({"kind": "cnn", "channels": [16]} | fields, row)
    convolution = nn.Conv2d(1, 16, 5, padding=2), nn.GroupNorm(4, 16), nn.Tanh()
    dense = nn.Flatten(), nn.Linear(16 * 64, 7), nn.Tanh(), nn.Linear(7, 3)

    assert_same(network, with_weights(nn.Sequential(*convolution, *dense), network), row)


@pytest.mark.parametrize("row", [RowInfo((16, 5)), RowInfo((16, 5), varies=True)], ids=["one length", "varying"])
def test_over_sequences_windows_are_of_steps(row):
    network = built({"kind": "cnn", "channels": [4, 6]}, row)
    kinds = nn.Conv1d, nn.BatchNorm1d, nn.MaxPool1d
    stages = nn.Sequential(*stage(*kinds, 5, 4), *stage(*kinds, 4, 6))

    assert_same(network, with_weights(OverSteps(stages, nn.Linear(6, 3)), network), row)


def test_over_text_they_are_of_the_tokens_vectors():
    row = RowInfo((12,), tokens=9, varies=True)
    network = built({"kind": "cnn", "channels": [4], "norm": None}, row)
    stages = nn.Sequential(nn.Conv1d(64, 4, 3, padding=1), nn.ReLU(), nn.MaxPool1d(2))

    assert_same(network, with_weights(OverSteps(stages, nn.Linear(4, 3), nn.Embedding(9, 64)), network), row)


@pytest.mark.parametrize(("channels", "groups"), [(1, 1), (6, 1), (12, 3), (32, 8), (128, 32), (256, 32), (13, 1)])
def test_groups_are_of_four_channels_or_more_and_divide_them(channels, groups):
    normalization = CNNModel(channels=[channels], norm="group").expand(RowInfo((1, 8, 8)))[1]

    assert normalization.num_groups == groups


@pytest.mark.parametrize("row", [RowInfo((13,)), RowInfo((3, 4), tokens=9)])
def test_other_rows_are_refused(row):
    with pytest.raises(ValueError, match=r"cnn expects images, \(C, H, W\), .*; it gets \(.* from the rows"):
        CNNModel().expand(row)
