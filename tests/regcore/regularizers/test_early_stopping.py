import math

import pytest
import torch
from effects import bind_effect
from hypothesis import given
from hypothesis import strategies as st

from regcore.regularizers import Surroundings
from regcore.regularizers.early_stopping import EarlyStopping
from regcore.spec.kinds import TASKS
from regcore.tasks import Classification, Regression
from regcore.trees import select


def judge(members):
    """The effect of these members, without a run."""
    return bind_effect(members, {"head.weight": torch.ones(len(members), 1, 1)})


def heard(values, **options):
    """Rounds that were kept, and the round that stopped (None for none), of one member."""
    spec = EarlyStopping(**options)
    effect = judge([spec])
    kept = []
    for number, value in enumerate(values):
        verdict = effect.on_evaluation([{spec.metric: value}])
        if verdict.keep:
            kept.append(number)
        if verdict.stop:
            return kept, number
    return kept, None


@pytest.mark.parametrize(
    ("values", "options", "kept", "stopped"),
    [
        ([3, 2, 1], {"patience": 1}, [0, 1, 2], None),
        ([3, 2, 2.5, 1], {"patience": 1}, [0, 1], 2),
        ([3, 2, 2.5, 1], {"patience": 2}, [0, 1, 3], None),
        ([3, 2, 2.5, 2.4, 1], {"patience": 2}, [0, 1], 3),
        ([3, 3, 3], {"patience": 2}, [0], 2),
        ([3, 2.95, 2.9, 2.85], {"patience": 3, "min_delta": 0.1}, [0, 1, 2, 3], None),
        ([3, 2.95, 2.91], {"patience": 2, "min_delta": 0.1}, [0, 1, 2], 2),
        ([3, 2.75, 2.5], {"patience": 2, "min_delta": 0.5}, [0, 1, 2], 2),  # better by min_delta is not by more
        ([3, 2.5, 2.25, 2], {"patience": 2, "min_delta": 0.5}, [0, 1, 2, 3], None),
        ([2.5, 3, 2.5], {"patience": 3}, [0], None),  # of ties the first
        ([0.5, 0.75, 0.75, 0.8], {"patience": 2, "metric": "validation/accuracy", "min_delta": 0.25}, [0, 1], 2),
        ([0.5, 0.6, 0.55, 0.7], {"patience": 2, "metric": "validation/accuracy"}, [0, 1, 3], None),
        ([0.5, 0.4, 0.3], {"patience": 2, "metric": "validation/accuracy"}, [0], 2),
        ([-1, 0.2, 0.1], {"patience": 1, "metric": "validation/r2"}, [0, 1], 2),
        ([9, 8, 8.5], {"patience": 1, "metric": "validation/mae"}, [0, 1], 2),
        ([math.nan, 2, math.nan, 1], {"patience": 2}, [1, 3], None),
        ([math.nan, math.nan, math.nan], {"patience": 2}, [], None),
        ([2, math.nan, 3, math.nan, 4], {"patience": 2}, [0], 4),
        ([2, math.inf, math.inf], {"patience": 2}, [0], 2),
    ],
)
def test_scripted_metrics_are_kept_and_stopped_as_the_rule_says(values, options, kept, stopped):
    assert heard(values, **options) == (kept, stopped)


def test_each_member_is_judged_by_its_own_metric_and_patience():
    effect = judge([EarlyStopping(patience=1), EarlyStopping(patience=3)])

    verdicts = [
        effect.on_evaluation([{"validation/loss": a}, {"validation/loss": b}]) for a, b in [(2, 2), (3, 1), (1, 3)]
    ]

    assert [verdict.keep for verdict in verdicts] == [{0, 1}, {1}, set()]
    assert [verdict.stop for verdict in verdicts] == [set(), {0}, {0}]


def test_a_metric_without_a_value_is_told_of_once_for_each_member():
    effect = judge([EarlyStopping(), EarlyStopping(metric="validation/r2")])

    verdicts = [
        effect.on_evaluation([{"validation/loss": a}, {"validation/r2": b}])
        for a, b in [(1, math.nan), (math.nan, math.nan), (math.nan, 0.5)]
    ]

    assert [verdict.undefined for verdict in verdicts] == [{1: "validation/r2"}, {0: "validation/loss"}, {}]


def by_the_page(values, *, higher_is_better, patience, min_delta):
    """The page's words in a loop of its own: the epoch that is kept and the one that stops, from 0."""
    reference, in_a_row, stopped = None, 0, None
    for number, value in enumerate(values):
        m = -value if higher_is_better else value
        if reference is None or m < reference - min_delta:
            reference, in_a_row = m, 0
        else:
            in_a_row += 1
        if in_a_row == patience:
            stopped = number
            break
    seen = values if stopped is None else values[: stopped + 1]
    return seen.index(max(seen) if higher_is_better else min(seen)), stopped


@given(
    values=st.lists(st.sampled_from([0, 0.25, 0.5, 0.75, 1]), min_size=1, max_size=12),
    metric=st.sampled_from(["validation/loss", "validation/accuracy", "validation/r2", "validation/mae"]),
    patience=st.integers(1, 4),
    min_delta=st.sampled_from([0, 0.25, 0.5, 2]),
)
def test_the_formula_of_its_page_is_what_it_does_at_ties_too(values, metric, patience, min_delta):
    kept, stopped = heard(values, metric=metric, patience=patience, min_delta=min_delta)

    expected = by_the_page(
        values, higher_is_better=metric.endswith(("accuracy", "r2")), patience=patience, min_delta=min_delta
    )
    assert (kept[-1], stopped) == expected


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), patience=st.integers(1, 5))
def test_what_was_kept_last_is_the_best_that_was_seen(values, patience):
    kept, stopped = heard(values, patience=patience)

    seen = values[: len(values) if stopped is None else stopped + 1]
    assert values[kept[-1]] == min(seen)
    if stopped is not None:
        assert stopped - kept[-1] == patience


def test_without_validation_rows_it_says_what_to_set():
    remedy = EarlyStopping().needs(Surroundings(Classification, 0))

    assert "data.validation_fraction" in remedy


@pytest.mark.parametrize(
    ("metric", "task", "fits"),
    [
        ("validation/loss", "classification", True),
        ("validation/loss", "regression", True),
        ("validation/accuracy", "classification", True),
        ("validation/accuracy", "regression", False),
        ("validation/r2", "regression", True),
        ("validation/r2", "classification", False),
        ("validation/mae", "regression", True),
        ("validation/mae", "classification", False),
    ],
)
def test_a_metric_that_the_task_has_not_is_refused(metric, task, fits):
    problem = EarlyStopping(metric=metric).needs(Surroundings(TASKS[task], 10))

    assert (problem is None) == fits
    assert fits or metric in problem


@pytest.mark.parametrize(("num_rows", "fits"), [(1, False), (2, True)])
def test_r2_needs_two_rows_to_have_a_value(num_rows, fits):
    problem = EarlyStopping(metric="validation/r2").needs(Surroundings(Regression, num_rows))

    assert (problem is None) == fits
    assert fits or "Raise data.validation_fraction" in problem


def test_the_test_split_is_not_watched():
    with pytest.raises(ValueError, match="validation/loss"):
        EarlyStopping(metric="test/loss")


@pytest.mark.parametrize("num_before", range(6))
def test_one_that_takes_over_anothers_state_judges_as_that_one_would(num_before):
    members = [EarlyStopping(patience=2), EarlyStopping(patience=2, min_delta=0.1)]
    rounds = [
        [{"validation/loss": a}, {"validation/loss": b}]
        for a, b in [(math.nan, 3), (2, 2.95), (3, 2), (4, 1.95), (0, 1.5), (5, 1)]
    ]
    whole, first = judge(members), judge(members)
    expected = [whole.on_evaluation(metrics) for metrics in rounds]
    for metrics in rounds[:num_before]:
        first.on_evaluation(metrics)

    resumed = judge(members)
    resumed.state = select(first.state, range(len(members)))

    assert [resumed.on_evaluation(metrics) for metrics in rounds[num_before:]] == expected[num_before:]


def test_a_state_that_was_taken_over_is_ones_own():
    first, second = judge([EarlyStopping()]), judge([EarlyStopping()])
    second.state = select(first.state, [0])

    first.on_evaluation([{"validation/loss": 1.0}])

    assert second.state["best"].tolist() == [math.inf]
    assert second.state["waited"].tolist() == [0]
