import numpy as np
import pytest
from sklearn import metrics

from regcore.tasks.scores.regression import NumberEvaluation, r2_rows, rmse
from regcore.tasks.scores.split import resampled_means

NUM_ROWS = 300


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture
def split(rng: np.random.Generator) -> NumberEvaluation:
    targets = rng.normal(size=NUM_ROWS) * 7 + 1000
    predictions = targets + rng.normal(size=NUM_ROWS)
    return NumberEvaluation((predictions - targets) ** 2, predictions, targets)


def test_metrics_are_scikit_learns(split: NumberEvaluation) -> None:
    values = split.values()

    assert values["r2"] == pytest.approx(metrics.r2_score(split.targets, split.predictions))
    assert values["mae"] == pytest.approx(metrics.mean_absolute_error(split.targets, split.predictions))
    assert values["rmse"] == pytest.approx(metrics.root_mean_squared_error(split.targets, split.predictions))


@pytest.mark.parametrize("num_rows", [2, 113, 1000])
def test_targets_that_are_all_equal_have_no_r2_however_their_mean_is_rounded(num_rows: int) -> None:
    targets = np.full(num_rows, 14.62)
    predictions = targets + np.linspace(-1, 1, num_rows)

    split = NumberEvaluation((predictions - targets) ** 2, predictions, targets)

    assert np.isnan(split.values()["r2"])
    assert "r2" not in split.rows()


def test_resamples_of_equal_targets_have_no_r2_either() -> None:
    targets = np.array([0.1] * 9 + [0.7])
    predictions = targets + np.linspace(-0.1, 0.1, 10)
    split = NumberEvaluation((predictions - targets) ** 2, predictions, targets)

    r2 = split.with_intervals(resampled_means(split.per_row_loss, 1), 1)["r2"]

    assert r2["value"] == pytest.approx(metrics.r2_score(targets, predictions))
    assert np.isnan([r2["low"], r2["high"]]).all()


def test_the_mean_of_r2_rows_is_scikit_learns_r2(rng: np.random.Generator) -> None:
    targets = rng.normal(3, 2, size=80)
    predictions = targets + rng.normal(size=80)

    assert r2_rows(predictions, targets).mean() == pytest.approx(metrics.r2_score(targets, predictions))


def test_the_spread_of_r2_rows_is_that_of_the_bootstrapped_r2(rng: np.random.Generator) -> None:
    targets = rng.normal(3, 2, size=400)
    predictions = targets + rng.normal(scale=1.5, size=400)
    draws = rng.integers(400, size=(2000, 400))
    resampled = [metrics.r2_score(targets[drawn], predictions[drawn]) for drawn in draws]

    assert r2_rows(predictions, targets).std() / 20 == pytest.approx(np.std(resampled), rel=0.1)


def test_rmse_is_scikit_learns_with_rows(rng: np.random.Generator) -> None:
    errors = rng.normal(size=500)

    found = rmse(errors**2)

    assert found.value == pytest.approx(metrics.root_mean_squared_error(np.zeros(500), errors))
    assert found.rows.mean() == pytest.approx(found.value)
    spread = np.std([rmse(rng.choice(errors, 500) ** 2).value for _ in range(500)])
    assert found.rows.std() / np.sqrt(500) == pytest.approx(spread, rel=0.2)


def test_no_error_has_an_rmse_of_0_and_rows_of_0() -> None:
    found = rmse(np.zeros(3))

    assert (found.value, found.rows.tolist()) == (0, [0, 0, 0])
