import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from regcore.study.statistics import Resplits, mean_interval
from regcore.study.statistics.summaries import summarize


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=20).filter(lambda values: max(values) - min(values) > 1e-3))
def test_the_interval_is_scipys(values):
    expected = ttest_1samp(values, 0).confidence_interval(0.95)

    interval = mean_interval(values)

    assert interval["low"] == pytest.approx(expected.low, rel=1e-9, abs=1e-9)
    assert interval["high"] == pytest.approx(expected.high, rel=1e-9, abs=1e-9)


def test_three_seeds_by_hand():
    # mean 2, s = 1, t(2) = 4.3027
    assert mean_interval([1.0, 2.0, 3.0]) == {
        "value": 2.0,
        "low": pytest.approx(2 - 4.302653 / math.sqrt(3)),
        "high": pytest.approx(2 + 4.302653 / math.sqrt(3)),
        "num": 3,
        "num_missing": 0,
    }


def test_splits_drawn_anew_widen_the_interval():
    plain, anew = mean_interval([1.0, 2.0, 3.0]), mean_interval([1.0, 2.0, 3.0], 0.5)

    # √(1/3 + 1/2) over √(1/3)
    assert anew["high"] - anew["low"] == pytest.approx(math.sqrt(2.5) * (plain["high"] - plain["low"]))
    assert anew["value"] == plain["value"]


def test_one_value_has_no_interval():
    assert mean_interval([0.5]) == {"value": 0.5, "low": None, "high": None, "num": 1, "num_missing": 0}


@pytest.mark.parametrize("missing", [None, math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_left_out_and_counted(missing):
    assert mean_interval([1.0, missing, 3.0]) == {**mean_interval([1.0, 3.0]), "num_missing": 1}


def test_nothing_has_no_value():
    assert mean_interval([None]) == {"value": None, "low": None, "high": None, "num": 0, "num_missing": 1}


def test_values_beyond_arithmetic_give_none_and_no_warning():
    interval = mean_interval([1e308, 1e308, -1e308])

    assert (interval["low"], interval["high"], interval["num"]) == (None, None, 3)


def test_a_tree_is_summarized_leaf_by_leaf():
    summary = summarize([{"head": {"l1": 1.0, "l2": 5.0}}, {"head": {"l1": 3.0}}, {}])

    assert list(summary) == ["head"]
    assert summary["head"]["l1"] == mean_interval([1.0, 3.0, None])
    assert summary["head"]["l2"] == mean_interval([5.0, None, None])


def test_each_number_of_a_tree_is_widened_by_what_its_own_rows_share():
    resplits = Resplits(num_train=60, num_validation=15, num_test=30, draws_test=True)

    summary = summarize([{"test/loss": 1.0, "train/loss": 1.0}, {"test/loss": 3.0, "train/loss": 3.0}], resplits)

    assert summary == {name: mean_interval([1.0, 3.0], resplits.ratio(name)) for name in ("test/loss", "train/loss")}
