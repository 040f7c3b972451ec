import numpy as np
import pytest
from sklearn.metrics import r2_score

from regcore.intervals import bootstrap
from regcore.statistics import loss_rows, r2_rows


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_losses_without_weights_are_their_own_rows(rng):
    losses = rng.exponential(size=50)

    assert np.array_equal(loss_rows(losses), losses)


def test_the_mean_of_weighted_rows_is_the_weighted_loss(rng):
    losses, weights = rng.exponential(size=50), rng.uniform(0.2, 3, size=50)

    assert loss_rows(losses, weights).mean() == pytest.approx(np.average(losses, weights=weights))


def test_the_spread_of_weighted_rows_is_that_of_the_bootstrapped_loss(rng):
    losses, weights = rng.exponential(size=400), rng.uniform(0.2, 3, size=400)
    resampled = bootstrap(
        np.stack([weights * losses, weights], axis=1), lambda means: means[:, 0] / means[:, 1], seed=0
    )

    assert loss_rows(losses, weights).std() / 20 == pytest.approx(resampled.std(), rel=0.1)


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
