import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, t

from regcore.study.statistics.noise import Part, half_width, p_value, t_quantile

FEW, MANY = 2.0, 999.0


@pytest.mark.parametrize("degrees_of_freedom", [1, 2, 3.7, 999, math.inf])
@pytest.mark.parametrize("level", [0.05, 0.05 / 6, 1e-9])
def test_quantiles_are_scipys(degrees_of_freedom, level):
    expected = t.isf(level / 2, degrees_of_freedom)

    assert t_quantile(degrees_of_freedom, level) == pytest.approx(expected, rel=1e-9)


@given(value=st.floats(-20, 20), variance=st.floats(0.01, 10), degrees_of_freedom=st.floats(1, 1000))
def test_one_part_makes_students_test(value, variance, degrees_of_freedom):
    expected = 2 * t.sf(abs(value) / math.sqrt(variance), degrees_of_freedom)

    assert p_value(value, [Part(variance, degrees_of_freedom)]) == pytest.approx(expected, rel=1e-9)


@given(few=st.floats(0, 1), many=st.floats(0.05, 1), value=st.floats(0.01, 5))
def test_the_interval_at_the_level_of_p_just_touches_zero(few, many, value):
    parts = [Part(few, FEW), Part(many, MANY)]

    p = p_value(value, parts)

    assert half_width(parts, p) == pytest.approx(value, rel=1e-6)


def test_two_parts_add_by_their_own_quantiles():
    half = half_width([Part(0.5, FEW), Part(2.0, MANY)])

    assert half == pytest.approx(math.sqrt(4.30265273**2 * 0.5 + 1.96234146**2 * 2.0))


@pytest.mark.parametrize(("value", "expected"), [(0.0, 1.0), (1e6, 1.4e-12)])
def test_p_values_at_the_ends(value, expected):
    assert p_value(value, [Part(0.5, FEW), Part(0.5, MANY)]) == pytest.approx(expected, rel=0.1)


def test_a_p_value_below_what_a_float_holds_is_bounded_by_the_few_seeds():
    assert 0 < p_value(1e9, [Part(1e-4, FEW), Part(1.0, MANY)]) < 1e-17


@pytest.mark.parametrize("row_variance", [0.0, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("level", [0.05, 0.05 / 6])
@pytest.mark.parametrize("num_seeds", [2, 3, 5])
def test_a_true_null_is_rejected_no_more_often_than_the_level_says(num_seeds, level, row_variance):
    values, parts = _draws(num_seeds, row_variance)

    num_rejected = sum(abs(value) > half_width(both, level) for value, both in zip(values, parts, strict=True))

    assert binomtest(num_rejected, len(values), level, alternative="greater").pvalue > 1e-3


def test_of_one_noise_alone_the_level_is_met_exactly():
    values, parts = _draws(num_seeds=3, row_variance=0.0)

    num_rejected = sum(abs(value) > half_width(both) for value, both in zip(values, parts, strict=True))

    assert binomtest(num_rejected, len(values), 0.05).pvalue > 1e-3


def test_satterthwaites_degrees_of_freedom_would_reject_it_too_often():
    """Why `half_width` is not the usual formula; and that the draws above can tell."""
    values, parts = _draws(num_seeds=3, row_variance=0.1)
    variances = np.array([[part.variance for part in both] for both in parts])
    degrees_of_freedom = variances.sum(1) ** 2 / (variances**2 / [FEW, MANY]).sum(1)

    num_rejected = int((2 * t.sf(np.abs(values) / np.sqrt(variances.sum(1)), degrees_of_freedom) < 0.05).sum())

    assert binomtest(num_rejected, len(values), 0.05, alternative="greater").pvalue < 1e-6


def _draws(num_seeds, row_variance, num_draws=2500):
    """Means over seeds of variance 1 with noise of rows beside it, and what would be measured of both."""
    rng = np.random.default_rng(num_seeds)
    seeds = rng.normal(size=(num_draws, num_seeds))
    values = seeds.mean(1) + rng.normal(size=num_draws) * math.sqrt(row_variance / num_seeds)
    of_seeds = seeds.var(1, ddof=1) / num_seeds
    of_rows = row_variance / num_seeds * rng.chisquare(MANY, num_draws) / MANY
    return values, [[Part(a, num_seeds - 1), Part(b, MANY)] for a, b in zip(of_seeds, of_rows, strict=True)]
