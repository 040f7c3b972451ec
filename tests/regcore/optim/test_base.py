import pytest
from pydantic import TypeAdapter, ValidationError

from regcore.optim import OPTIMIZERS, SGD, AnyOptimizer
from regcore.schedule import Moment

read = TypeAdapter(AnyOptimizer).validate_python
KINDS = [optimizer.model_fields["kind"].default for optimizer in OPTIMIZERS]


def test_rate_is_the_base_value_times_the_schedules_factor():
    optimizer = SGD(learning_rate=0.5, schedule={"kind": "step", "every_epochs": 1, "gamma": 0.1})

    rates = [optimizer.rate(Moment(step, 2, 6)) for step in range(6)]

    assert rates == pytest.approx([0.5, 0.5, 0.05, 0.05, 0.005, 0.005])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0, -1, 1e7])
def test_learning_rates_are_above_0_and_bounded(kind, rate):
    with pytest.raises(ValidationError, match="learning_rate"):
        read({"kind": kind, "learning_rate": rate})


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_alone_is_an_optimizer(kind):
    assert read({"kind": kind}).kind == kind


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_says_what_it_does_and_where_it_is_from(optimizer):
    assert optimizer.summary.endswith(".")
    assert "w ←" in optimizer.formula
    assert any(character.isdigit() for character in optimizer.source)
