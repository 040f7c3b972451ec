import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from regcore.at import At
from regcore.doubts import RunShape
from regcore.schedule import Schedule, joint_peak

read = TypeAdapter(Schedule).validate_python


def table(schedule, steps_per_epoch=2, num_epochs=4):
    num_steps = steps_per_epoch * num_epochs
    return [read(schedule).factor(At(step, steps_per_epoch, num_steps)) for step in range(num_steps)]


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
def test_cosine_is_torchs_cosine_annealing_that_ends_at_the_last_step(final_factor):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    annealing = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=7, eta_min=final_factor)
    expected = []
    for _ in range(8):
        expected.append(annealing.get_last_lr()[0])
        optimizer.step()
        annealing.step()

    assert table({"kind": "cosine", "final_factor": final_factor}) == pytest.approx(expected)


def test_cosine_falls_from_the_last_step_of_warm_up_to_the_last_of_all():
    factors = table({"kind": "cosine", "warmup_epochs": 2})

    assert factors[:4] == pytest.approx([0.25, 0.5, 0.75, 1])
    assert factors[3:] == pytest.approx([(1 + math.cos(math.pi * done / 4)) / 2 for done in range(5)])


@pytest.mark.parametrize("final_factor", [0, 0.1, 1, 3.7, 1e20])
@pytest.mark.parametrize("num_steps", [2, 3, 5, 100])
def test_cosine_has_the_base_value_first_and_exactly_the_ends_last(final_factor, num_steps):
    factors = table({"kind": "cosine", "final_factor": final_factor}, 1, num_steps)

    assert (factors[0], factors[-1]) == (1, final_factor)


def test_cosine_of_a_single_step_has_the_base_value():
    assert table({"kind": "cosine", "final_factor": 0.5}, 1, 1) == [1]


@pytest.mark.parametrize(
    ("warmup_epochs", "last"),
    [(3.5, 0.5), (4, 1), (8, 0.5), (800, 0.005), (1e308, 0)],
    ids=["one step short", "to the last step", "twice as long", "a hundred times", "for ever"],
)
def test_a_warm_up_to_the_end_leaves_the_cosine_no_step(warmup_epochs, last):
    factors = table({"kind": "cosine", "final_factor": 0.5, "warmup_epochs": warmup_epochs})

    assert factors[-1] == pytest.approx(last)
    assert factors[:-1] == pytest.approx([min(1, k / (2 * warmup_epochs)) for k in range(1, 8)])


def test_a_step_that_grows_beyond_all_numbers_is_infinite():
    assert read({"kind": "step", "gamma": 10, "every_epochs": 1}).factor(At(400, 1, 500)) == math.inf


any_schedule = st.one_of(
    st.fixed_dictionaries({"kind": st.just("constant"), "warmup_epochs": st.floats(0, 20)}),
    st.fixed_dictionaries(
        {"kind": st.just("cosine"), "warmup_epochs": st.floats(0, 20), "final_factor": st.floats(0, 10)}
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("step"),
            "warmup_epochs": st.floats(0, 20),
            "gamma": st.floats(0.01, 5),
            "every_epochs": st.integers(1, 5),
        }
    ),
)


@given(schedule=any_schedule, steps_per_epoch=st.integers(1, 5), num_epochs=st.integers(1, 12))
def test_the_peak_is_the_largest_factor_of_any_step(schedule, steps_per_epoch, num_epochs):
    peak = read(schedule).peak(RunShape(num_epochs, steps_per_epoch, num_epochs, 10))

    assert peak == pytest.approx(max(table(schedule, steps_per_epoch, num_epochs)), rel=1e-12)


@given(
    both=st.tuples(any_schedule, any_schedule),
    steps_per_epoch=st.integers(1, 5),
    num_epochs=st.integers(1, 12),
)
def test_the_joint_peak_is_the_largest_product_at_any_step(both, steps_per_epoch, num_epochs):
    run = RunShape(num_epochs, steps_per_epoch, num_epochs, 10)

    peak = joint_peak(run, [read(schedule) for schedule in both])

    products = map(math.prod, zip(*(table(one, steps_per_epoch, num_epochs) for one in both), strict=True))
    assert peak == pytest.approx(max(products), rel=1e-12)


def test_the_joint_peak_of_a_long_run_is_found_without_looking_at_each_step():
    """The rate falls by half a cosine while the strength rises from 0 by the same: the most is ¼, in the middle."""
    falling, rising = read({"kind": "cosine"}), read({"kind": "cosine", "final_factor": 1e9})

    peak = joint_peak(RunShape(10**12, 10**3, 10**12, 10), [falling, rising])

    assert peak == pytest.approx(1e9 / 4, rel=1e-5)


@given(schedule=any_schedule, steps_per_epoch=st.integers(1, 5), num_epochs=st.integers(1, 12))
def test_the_last_factor_is_the_last_steps(schedule, steps_per_epoch, num_epochs):
    last = read(schedule).last(RunShape(num_epochs, steps_per_epoch, num_epochs, 10))

    assert last == table(schedule, steps_per_epoch, num_epochs)[-1]


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
    assert [At(step, 3, 9).epoch for step in range(7)] == [0, 0, 0, 1, 1, 1, 2]
