import math

import numpy as np
import pytest
from sklearn.metrics import r2_score

from regcore.study.statistics import gap_rows, r2_rows


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_the_mean_of_r2_rows_is_scikit_learns_r2(rng):
    targets = rng.normal(3, 2, size=80)
    predictions = targets + rng.normal(size=80)

    assert r2_rows(predictions, targets).mean() == pytest.approx(r2_score(targets, predictions))


def test_the_spread_of_r2_rows_is_that_of_the_bootstrapped_r2(rng):
    targets = rng.normal(3, 2, size=400)
    predictions = targets + rng.normal(scale=1.5, size=400)
    draws = rng.integers(400, size=(2000, 400))
    resampled = [r2_score(targets[drawn], predictions[drawn]) for drawn in draws]

    assert r2_rows(predictions, targets).std() / 20 == pytest.approx(np.std(resampled), rel=0.1)


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
