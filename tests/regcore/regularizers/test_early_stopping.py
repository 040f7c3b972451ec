import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regcore.regularizers.early_stopping import EarlyStopping


def heard(values, **options):
    """Rounds that were kept, and the round that stopped (None for none), of one member."""
    spec = EarlyStopping(**options)
    effect = EarlyStopping.bind([spec], [])
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
        ([3, 2.95, 2.9, 2.85], {"patience": 3, "min_delta": 0.1}, [0, 3], None),
        ([3, 2.95, 2.91], {"patience": 2, "min_delta": 0.1}, [0], 2),
        ([0.5, 0.6, 0.55, 0.7], {"patience": 2, "metric": "validation/accuracy"}, [0, 1, 3], None),
        ([0.5, 0.4, 0.3], {"patience": 2, "metric": "validation/accuracy"}, [0], 2),
        ([-1, 0.2, 0.1], {"patience": 1, "metric": "validation/r2"}, [0, 1], 2),
        ([9, 8, 8.5], {"patience": 1, "metric": "validation/mae"}, [0, 1], 2),
        ([math.nan, 2, math.nan, 1], {"patience": 2}, [1, 3], None),
        ([math.nan, math.nan], {"patience": 2}, [], 1),
    ],
)
def test_scripted_metrics_are_kept_and_stopped_as_the_rule_says(values, options, kept, stopped):
    assert heard(values, **options) == (kept, stopped)


def test_each_member_is_judged_by_its_own_metric_and_patience():
    effect = EarlyStopping.bind([EarlyStopping(patience=1), EarlyStopping(patience=3)], [])

    verdicts = [
        effect.on_evaluation([{"validation/loss": a}, {"validation/loss": b}]) for a, b in [(2, 2), (3, 1), (1, 3)]
    ]

    assert [verdict.keep for verdict in verdicts] == [{0, 1}, {1}, set()]
    assert [verdict.stop for verdict in verdicts] == [set(), {0}, {0}]


def test_a_member_that_was_not_evaluated_neither_waits_nor_is_kept():
    effect = EarlyStopping.bind([EarlyStopping(patience=1), EarlyStopping(patience=1)], [])

    verdicts = [effect.on_evaluation([{"validation/loss": a}, b]) for a, b in [(2, None), (1, None), (3, None)]]

    assert [verdict.keep for verdict in verdicts] == [{0}, {0}, set()]
    assert verdicts[-1].stop == {0}
    assert effect.on_evaluation([{"validation/loss": 0}, {"validation/loss": 9}]).keep == {1}


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), patience=st.integers(1, 5))
def test_what_was_kept_last_is_the_best_that_was_seen(values, patience):
    kept, stopped = heard(values, patience=patience)

    seen = values[: len(values) if stopped is None else stopped + 1]
    assert values[kept[-1]] == min(seen)
    if stopped is not None:
        assert stopped - kept[-1] == patience


def test_without_validation_rows_it_says_what_to_set():
    remedy = EarlyStopping().needs(task="classification", num_validation_rows=0)

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
    problem = EarlyStopping(metric=metric).needs(task=task, num_validation_rows=10)

    assert (problem is None) == fits
    assert fits or metric in problem


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
    whole, first = EarlyStopping.bind(members, []), EarlyStopping.bind(members, [])
    expected = [whole.on_evaluation(metrics) for metrics in rounds]
    for metrics in rounds[:num_before]:
        first.on_evaluation(metrics)

    resumed = EarlyStopping.bind(members, [])
    resumed.load_state(json.loads(json.dumps(first.state())))

    assert [resumed.on_evaluation(metrics) for metrics in rounds[num_before:]] == expected[num_before:]


def test_a_state_that_was_taken_over_is_ones_own():
    first, second = EarlyStopping.bind([EarlyStopping()], []), EarlyStopping.bind([EarlyStopping()], [])
    second.load_state(first.state())

    first.on_evaluation([{"validation/loss": 1.0}])

    assert second.state() == {"best": [math.inf], "waited": [0], "stopped": []}
