import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from scipy.stats import bootstrap as scipy_bootstrap

from regcore.intervals import NUM_RESAMPLES, bootstrap, percentile_interval, wilson, with_interval


@given(num_rows=st.integers(1, 10_000), share=st.floats(0, 1))
def test_wilson_is_scipys(num_rows, share):
    num_hits = round(share * num_rows)
    expected = binomtest(num_hits, num_rows).proportion_ci(0.95, method="wilson")

    low, high = wilson(num_hits, num_rows)

    assert low == pytest.approx(expected.low, abs=1e-12)
    assert high == pytest.approx(expected.high, abs=1e-12)
    assert 0 <= low <= num_hits / num_rows <= high <= 1


def test_the_bootstrap_interval_of_a_mean_is_near_scipys():
    rows = np.random.default_rng(0).exponential(size=400)
    expected = scipy_bootstrap((rows,), np.mean, method="percentile", rng=1).confidence_interval

    low, high = percentile_interval(bootstrap(rows[:, None], lambda means: means[:, 0], seed=0))

    assert low == pytest.approx(expected.low, abs=0.02)
    assert high == pytest.approx(expected.high, abs=0.02)


def test_the_same_seed_draws_the_same_rows_also_when_drawn_in_blocks():
    rows = np.arange(5000, dtype=np.float64)[:, None]

    first, again, other = (bootstrap(rows, lambda means: means[:, 0], seed=seed) for seed in (0, 0, 1))

    assert first.shape == (NUM_RESAMPLES,)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_value_that_is_not_finite_has_no_interval():
    assert all(map(math.isnan, percentile_interval(np.array([1.0, math.inf]))))


def test_with_interval_is_the_reports_form():
    assert with_interval(2.0, (1.0, 3.0)) == {"value": 2.0, "low": 1.0, "high": 3.0}
