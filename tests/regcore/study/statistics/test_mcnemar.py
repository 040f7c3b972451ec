import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from regcore.study.statistics.mcnemar import Discordance


@given(lost=st.integers(0, 200), won=st.integers(0, 200))
def test_the_p_value_is_scipys_binomial_test(lost, won):
    expected = binomtest(lost, lost + won, 0.5).pvalue if lost + won else 1.0

    assert Discordance(lost, won, 1000).p_value() == pytest.approx(expected, rel=1e-9)


def test_discordant_rows_are_counted_each_way():
    baseline, group = np.array([1.0, 1, 1, 0, 0, 1]), np.array([1.0, 0, 0, 1, 0, 1])

    assert Discordance.of(baseline, group) == Discordance(2, 1, 6)


def test_the_interval_by_hand():
    # p = 11/102 and q = 5/102: −6/102 ± 1.95996 √((16/102 − (6/102)²) / 102)
    low, high = Discordance(10, 4, 100).interval()

    assert (low, high) == (pytest.approx(-0.134832, abs=1e-6), pytest.approx(0.017185, abs=1e-6))


def test_no_discordant_row_still_leaves_an_interval_with_a_width():
    low, high = Discordance(0, 0, 100).interval()

    assert low == -high
    assert 0.02 < high < 0.04


def test_the_interval_stays_within_what_a_difference_can_be():
    assert Discordance(0, 3, 3).interval()[1] == 1.0
    assert Discordance(3, 0, 3).interval()[0] == -1.0


@pytest.mark.parametrize(("lost", "won"), [(0.02, 0.02), (0.1, 0.1), (0.02, 0.1)])
def test_the_interval_holds_the_true_difference_in_95_of_100(lost, won):
    rng = np.random.default_rng(11)
    counts = rng.multinomial(200, [lost, won, 1 - lost - won], size=3000)

    intervals = [Discordance(int(b), int(c), 200).interval() for b, c, _ in counts]

    num_held = sum(low <= won - lost <= high for low, high in intervals)
    assert binomtest(num_held, 3000, 0.95, alternative="less").pvalue > 1e-3
