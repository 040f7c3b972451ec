import pytest
import torch
from pydantic import ValidationError
from torch import nn
from twins import assert_same, built, with_weights

from regcore import make_plan
from regcore.models import MLPModel
from regcore.shapes import RowInfo

TABLE = RowInfo((6,))
TEXT = RowInfo((7,), tokens=9, varies=True)


class ResNetForTables(nn.Module):
    """Gorishniy et al. 2021, §3.2, without its dropout, which does nothing in evaluation."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.BatchNorm1d(8), nn.Linear(8, hidden), nn.ReLU(), nn.Linear(hidden, 8)) for hidden in (8, 5)
        )
        self.prediction = nn.Sequential(nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.prediction(x)


def test_an_activation_follows_each_hidden_layer_and_none_the_output():
    layers = MLPModel(hidden=[5, 3], activation="tanh").expand(RowInfo((3,)))

    written = [layer.model_dump(exclude_defaults=True) for layer in layers]
    assert written == [{"features": 5}, {"name": "tanh"}, {"features": 3}, {"name": "tanh"}, {}]


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_a_normalization_comes_before_the_activation_and_dropout_behind_it(norm):
    layers = MLPModel(hidden=[5], norm=norm, dropout=0.2).expand(TABLE)

    assert [layer.kind for layer in layers] == ["linear", f"{norm}_norm", "activation", "dropout", "linear"]


def test_a_residual_one_is_the_published_network_for_tables():
    network = built({"kind": "mlp", "hidden": [8, 5], "norm": "batch", "residual": True, "dropout": 0.3}, TABLE)

    assert_same(network, with_weights(ResNetForTables(), network), TABLE)


def test_a_residual_block_drops_behind_its_activation_and_what_it_adds():
    _, block, *_ = MLPModel(hidden=[5], residual=True, dropout=0.2).expand(TABLE)

    assert [layer.kind for layer in block.layers] == ["linear", "activation", "dropout", "linear", "dropout"]


def test_of_text_it_sees_a_bag_of_vectors():
    network = built({"kind": "mlp", "hidden": [4]}, TEXT)
    twin = nn.Sequential(nn.EmbeddingBag(9, 64, mode="mean"), nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 3))

    assert_same(network, with_weights(twin, network), TEXT)


def test_jobs_with_and_without_dropout_train_apart_and_those_with_it_together(make_job):
    def key(p):
        return make_plan(make_job(model={"kind": "mlp", "hidden": [4], "dropout": p})).fusion_key

    assert key(0.1) == key(0.4) != key(0.0)


def test_members_that_differ_in_dropout_end_as_alone(make_job, train_members):
    jobs = [
        make_job(
            model={"kind": "mlp", "hidden": [8, 6], "norm": "layer", "residual": True, "dropout": 0.1 * (1 + k)},
            training={"epochs": 2, "seed": k, "precision": "float64"},
        )
        for k in range(2)
    ]

    together = train_members(*jobs)

    for job, ours in zip(jobs, together, strict=True):
        (solo,) = train_members(job)
        torch.testing.assert_close(ours.state, solo.state, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("hidden", [[], [0], [-1], [1.5], "128"])
def test_hidden_widths_are_positive_whole_numbers(hidden):
    with pytest.raises(ValidationError, match="hidden"):
        MLPModel(hidden=hidden)
