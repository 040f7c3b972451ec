import copy
import math

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from regcore.at import At
from regcore.optim import SGD, Adam, AdamW, RMSprop
from regcore.optim.base import Scheduled
from regcore.schedule import ConstantSchedule, StepSchedule
from regcore.spec.kinds import OPTIMIZERS, AnyOptimizer

read = TypeAdapter(AnyOptimizer).validate_python
KINDS = [optimizer.model_fields["kind"].default for optimizer in OPTIMIZERS.values()]


def test_rate_is_the_base_value_times_the_schedules_factor():
    optimizer = SGD(learning_rate=0.5, schedule={"kind": "step", "every_epochs": 1, "gamma": 0.1})

    rates = [optimizer.rate(At(step, 2, 6)) for step in range(6)]

    assert rates == pytest.approx([0.5, 0.5, 0.05, 0.05, 0.005, 0.005])


def test_scheduled_numbers_are_each_members_own_at_every_step():
    schedules = [ConstantSchedule(), StepSchedule(every_epochs=1, gamma=0.1), StepSchedule(every_epochs=2, gamma=0.1)]
    members = [SGD(learning_rate=0.1 + k, schedule=schedules[k % 3]) for k in range(7)]
    scheduled = Scheduled([m.learning_rate for m in members], [m.schedule for m in members])

    # Also back and forth, as a trainer asks for a step and then for its epoch's last.
    for step in (0, 1, 2, 5, 4, 4, 0):
        moment = At(step, 2, 6)
        assert scheduled.at(moment) == tuple(member.rate(moment) for member in members)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0, -1, 1e7])
def test_learning_rates_are_above_0_and_bounded(kind, rate):
    with pytest.raises(ValidationError, match="learning_rate"):
        read({"kind": kind, "learning_rate": rate})


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_alone_is_an_optimizer(kind):
    assert read({"kind": kind}).kind == kind


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values())
def test_every_optimizer_says_what_it_does_and_where_it_is_from(optimizer):
    assert optimizer.summary.endswith(".")
    assert "w ←" in optimizer.formula
    assert any(character.isdigit() for character in optimizer.source)


def step_between(update, weights, first, last):
    """Steps with gradients that depend on the step alone."""
    for step in range(first, last):
        stream = torch.Generator().manual_seed(step)
        gradients = {name: torch.randn(weight.shape, generator=stream) for name, weight in weights.items()}
        update.step(weights, gradients, {}, At(step, 5, 20))


@pytest.mark.parametrize("num_before", [0, 1, 11])
@pytest.mark.parametrize(
    "members",
    [
        [SGD(momentum=0)],
        [SGD(momentum=0.9), SGD(momentum=0.5, schedule={"kind": "cosine"})],
        [SGD(momentum=0.9, nesterov=True)],
        [Adam(), Adam(learning_rate=0.1, beta1=0.5)],
        [AdamW(weight_decay=0.1)],
        [RMSprop(), RMSprop(momentum=0.9)],
    ],
    ids=lambda members: type(members[0]).__name__,
)
def test_an_update_that_takes_over_anothers_state_steps_as_that_one_would(members, num_before):
    weights = {"head.weight": torch.ones(len(members), 3, 4), "head.bias": torch.zeros(len(members), 3)}
    update = type(members[0]).bind(members)
    update.state = update.start(weights)
    step_between(update, weights, 0, num_before)
    copies, state = copy.deepcopy(weights), copy.deepcopy(update.state)
    step_between(update, weights, num_before, 20)

    resumed = type(members[0]).bind(members)
    resumed.state = state
    step_between(resumed, copies, num_before, 20)

    for name, weight in weights.items():
        assert torch.equal(copies[name], weight)


TORCHS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "sgd", "momentum": 0.0},
        {"kind": "sgd", "momentum": 0.9},
        {"kind": "sgd", "momentum": 0.9, "nesterov": True},
        {"kind": "sgd", "momentum": 0.999999},
        {"kind": "adam"},
        {"kind": "adamw", "eps": 0.5},
        {"kind": "rmsprop"},
        {"kind": "rmsprop", "alpha": 0.5, "eps": 1.0},
        {"kind": "rmsprop", "alpha": 0.0, "momentum": 0.9},
    ],
)
@pytest.mark.parametrize("gradient", [1.0, 0.03, 70.0])
@pytest.mark.parametrize("num_steps", [1, 2, 50])
def test_the_gain_is_the_length_of_torchs_step_after_as_many_equal_gradients(fields, gradient, num_steps):
    given = {name: value for name, value in fields.items() if name != "kind"}
    weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    reference = TORCHS[fields["kind"]]([weight], lr=0.01, **given)
    reference.param_groups[0]["weight_decay"] = 0.0
    for _ in range(num_steps):
        before = weight.item()
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        reference.step()

    gain = read(fields).gain(num_steps, gradient)

    assert gain == pytest.approx(abs(weight.item() - before) / 0.01, rel=1e-9)


@pytest.mark.parametrize(("momentum", "limit"), [(0.0, 1), (0.5, 2), (0.9, 10)])
@pytest.mark.parametrize("kind", ["sgd", "rmsprop"])
def test_in_the_long_run_momentum_multiplies_a_step(kind, momentum, limit):
    optimizer = read({"kind": kind, "momentum": momentum})

    assert optimizer.gain(math.inf) == pytest.approx(limit)
