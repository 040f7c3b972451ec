"""What a user gets who says nothing but data, model and optimizer: every combination trains to something sensible."""

import math

import numpy as np
import pytest

from regcore import train
from regcore.data.catalogue import BUILTIN
from regcore.spec.catalogue import catalogue
from regcore.spec.kinds import MODELS, OPTIMIZERS


def kind_of(model) -> str:
    """Its kind, as the test's id."""
    return model.example["kind"]


def loss_of_a_constant(result) -> float:
    """The least mean loss of one answer for every train row: the classes' shares, or the targets' mean."""
    scaling, targets = result.data.target_scaling, result.data.train.y.double().numpy()
    if result.plan.task == "regression":
        return float(scaling.undone(targets).var())
    shares = np.unique(targets, return_counts=True)[1] / len(targets)
    return float(-(shares * np.log(shares)).sum())


WHOLE = {"torchvision", "module"}
"""Networks of other libraries, for images alone: four trainings take minutes, and tests of their own train them. And a
user's own module, which is no JSON."""

ANY_ROWS = {"layers", "linear", "mlp"}
FLOORS = {("rnn", "sgd"): 0.95}
"""Of the constant's loss, where ten epochs do not reach 0.8: plain steps through an LSTM are slow ones."""

COMBINATIONS = [
    *((name, MODELS[kind]) for kind in sorted(ANY_ROWS) for name, info in BUILTIN.items() if not info.varies),
    *(("digits", model) for kind, model in MODELS.items() if kind not in ANY_ROWS | WHOLE),
]
"""On sounds a training takes ten times as long; `tests/regcore/loop/test_sounds.py` and `test_texts.py` train some."""


@pytest.mark.parametrize(
    ("name", "model"), COMBINATIONS, ids=[f"{kind_of(model)}-{name}" for name, model in COMBINATIONS]
)
def test_every_combination_of_defaults_learns_something(name, model):
    for optimizer in OPTIMIZERS.values():
        kind = optimizer.model_fields["kind"].default
        spec = {"data": {"kind": "builtin", "name": name}, "model": model.example, "optimizer": {"kind": kind}}
        spec["training"] = {"eval_every_epochs": 10}  # no more than time is saved by this

        result = train(spec)

        assert all(math.isfinite(value) for value in result.metrics.values()), kind
        share = FLOORS.get((kind_of(model), kind), 0.8)
        assert result.metrics["train/loss"] < share * loss_of_a_constant(result), kind
        assert result.plan.warnings == [], kind


@pytest.mark.parametrize("entry", catalogue("builtin-datasets"), ids=lambda entry: entry.kind)
def test_every_example_of_a_data_set_has_nothing_but_defaults_and_learns(entry):
    assert entry.example_job.keys() == {"data", "model", "training"}

    result = train(entry.example_job)

    assert result.metrics["train/loss"] < loss_of_a_constant(result)
