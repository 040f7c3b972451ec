import math

import numpy as np
import pytest

from regcore.study.statistics import gap_rows


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_the_mean_of_gap_rows_is_the_gap(rng):
    test, train = rng.exponential(2, size=60), rng.exponential(size=240)

    assert gap_rows(test, train).mean() == pytest.approx(test.mean() - train.mean())


def test_the_spread_of_gap_rows_is_that_of_both_splits_together(rng):
    """Whose means are apart, which is no noise."""
    test, train = 50 + rng.exponential(2, size=60), rng.exponential(size=240)

    rows = gap_rows(test, train)

    assert rows.std() / math.sqrt(300) == pytest.approx(
        math.hypot(test.std() / math.sqrt(60), train.std() / math.sqrt(240))
    )
