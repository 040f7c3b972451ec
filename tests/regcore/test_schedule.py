import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from regcore.schedule import Moment, Schedule

read = TypeAdapter(Schedule).validate_python


def table(schedule, steps_per_epoch=2, num_epochs=4):
    num_steps = steps_per_epoch * num_epochs
    return [read(schedule).factor(Moment(step, steps_per_epoch, num_steps)) for step in range(num_steps)]


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ({"kind": "constant"}, [1, 1, 1, 1, 1, 1, 1, 1]),
        ({"kind": "constant", "warmup_epochs": 2}, [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]),
        ({"kind": "constant", "warmup_epochs": 1.5}, [1 / 3, 2 / 3, 1, 1, 1, 1, 1, 1]),
        ({"kind": "constant", "warmup_epochs": 0.25}, [1, 1, 1, 1, 1, 1, 1, 1]),
        ({"kind": "constant", "warmup_epochs": 8}, [k / 16 for k in range(1, 9)]),
        ({"kind": "step", "every_epochs": 1, "gamma": 0.5}, [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]),
        ({"kind": "step", "every_epochs": 3, "gamma": 0.1}, [1, 1, 1, 1, 1, 1, 0.1, 0.1]),
        (
            {"kind": "step", "every_epochs": 1, "gamma": 0.5, "warmup_epochs": 2},
            [0.25, 0.5, 0.375, 0.5, 0.25, 0.25, 0.125, 0.125],
        ),
        ({"kind": "step", "every_epochs": 2, "gamma": 3}, [1, 1, 1, 1, 3, 3, 3, 3]),
    ],
)
def test_factors_follow_the_table(schedule, factors):
    assert table(schedule) == pytest.approx(factors)


@pytest.mark.parametrize("final_factor", [0.0, 0.2])
def test_cosine_is_torchs_cosine_annealing(final_factor):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    annealing = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8, eta_min=final_factor)
    expected = []
    for _ in range(8):
        expected.append(annealing.get_last_lr()[0])
        optimizer.step()
        annealing.step()

    assert table({"kind": "cosine", "final_factor": final_factor}) == pytest.approx(expected)


def test_cosine_falls_over_what_the_warm_up_leaves():
    factors = table({"kind": "cosine", "warmup_epochs": 2})

    assert factors[:4] == pytest.approx([0.25, 0.5, 0.75, 1])
    assert factors[4:] == pytest.approx([(1 + math.cos(math.pi * done)) / 2 for done in (0, 0.25, 0.5, 0.75)])


schedules = st.one_of(
    st.fixed_dictionaries({"kind": st.just("constant"), "warmup_epochs": st.floats(0, 50)}),
    st.fixed_dictionaries({"kind": st.just("cosine"), "warmup_epochs": st.floats(0, 50)}),
    st.fixed_dictionaries({"kind": st.just("step"), "warmup_epochs": st.floats(0, 50), "gamma": st.floats(0.01, 1)}),
)


@given(schedule=schedules, steps_per_epoch=st.integers(1, 9), num_epochs=st.integers(1, 9))
def test_factors_stay_between_0_and_1_and_begin_above_0(schedule, steps_per_epoch, num_epochs):
    factors = table(schedule, steps_per_epoch, num_epochs)

    assert all(0 <= factor <= 1 for factor in factors)
    assert factors[0] > 0


@pytest.mark.parametrize(
    "schedule",
    [
        {"kind": "constant", "warmup_epochs": -1},
        {"kind": "cosine", "final_factor": -0.1},
        {"kind": "step", "every_epochs": 0},
        {"kind": "step", "gamma": 0},
        {"kind": "linear"},
    ],
)
def test_what_makes_no_schedule_is_refused(schedule):
    with pytest.raises(ValidationError):
        read(schedule)


def test_a_moment_counts_completed_epochs():
    assert [Moment(step, 3, 9).epoch for step in range(7)] == [0, 0, 0, 1, 1, 1, 2]
