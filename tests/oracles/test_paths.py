"""Whole regularization paths, trained in one go: scikit-learn's path solvers are the oracle.

Full batch, float64, on real data; units as in `test_convex`.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, enet_path, lasso_path

from regcore import Result, train_many
from regcore.study.statistics import PathPoint, regularization_path


def path_job(data: str, penalty: dict[str, Any], *, loss: str, rate: float, epochs: int) -> dict[str, Any]:
    """A linear model with this penalty."""
    return {
        "data": {"kind": "builtin", "name": data, "validation_fraction": 0, "standardize_target": False},
        "task": {"loss": loss},
        "model": {"kind": "linear"},
        "optimizer": {"kind": "sgd", "learning_rate": rate, "momentum": 0.9},
        "regularizers": [penalty],
        "training": {"epochs": epochs, "batch_size": "full", "precision": "float64", "eval_every_epochs": epochs},
    }


def fit_path(data: str, penalties: Sequence[dict[str, Any]], *, loss: str, rate: float, epochs: int) -> list[Result]:
    """One model for each penalty, trained to its minimum, in as few passes as pays."""
    return train_many([path_job(data, penalty, loss=loss, rate=rate, epochs=epochs) for penalty in penalties])


def rows_of(result: Result) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return result.data.train.x.numpy(), result.data.train.y.numpy()


def coefficients(result: Result) -> NDArray[np.float64]:
    """(outputs, features)."""
    return result.model.head.weight.detach().numpy()


@pytest.fixture(scope="module")
def diabetes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The train rows, standardized, as every fit here sees them."""
    (result,) = fit_path("diabetes", [{"kind": "l2", "strength": 1.0}], loss="half_mse", rate=0.1, epochs=1)
    return rows_of(result)


NUM_POINTS = 12


@pytest.mark.parametrize(("loss", "unit"), [("half_mse", 1.0), ("mse", 2.0)])
def test_a_path_of_l1_is_lasso_path(diabetes, loss: str, unit: float) -> None:
    """`mse` is twice `half_mse`, so that its strengths are, too."""
    x, y = diabetes
    alphas, expected, _ = lasso_path(x, y - y.mean(), alphas=NUM_POINTS, eps=1e-3, tol=1e-12, max_iter=100_000)

    penalties = [{"kind": "l1", "strength": unit * float(alpha)} for alpha in alphas]
    results = fit_path("diabetes", penalties, loss=loss, rate=0.2 / unit, epochs=3000)

    for result, theirs in zip(results, expected.T, strict=True):
        (ours,) = coefficients(result)
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
        np.testing.assert_array_equal(ours == 0, theirs == 0)
        assert result.kkt_residual < 1e-6
        assert result.model.head.bias.item() == pytest.approx(y.mean())
        assert result.l1_max == pytest.approx(unit * alphas[0], rel=1e-9)
    assert [result.sparsity for result in results][:: NUM_POINTS - 1] == [1.0, 0.0]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_path_of_elastic_net_is_enet_path(diabetes, share: float) -> None:
    x, y = diabetes
    alphas, expected, _ = enet_path(
        x, y - y.mean(), l1_ratio=share, alphas=NUM_POINTS, eps=1e-3, tol=1e-12, max_iter=100_000
    )
    l1, l2 = share * alphas, (1 - share) * alphas

    # The strongest ℓ₂ has a curvature of hundreds, and needs a step that is as much smaller.
    curvature = np.linalg.eigvalsh(x.T @ x / len(y)).max()
    results = train_many(
        [
            path_job("diabetes", penalty, loss="half_mse", rate=float(1 / (curvature + penalty["l2"])), epochs=3000)
            for penalty in (
                {"kind": "elastic_net", "l1": float(a), "l2": float(b)} for a, b in zip(l1, l2, strict=True)
            )
        ]
    )

    for result, theirs in zip(results, expected.T, strict=True):
        (ours,) = coefficients(result)
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
        np.testing.assert_array_equal(ours == 0, theirs == 0)
        assert result.kkt_residual < 1e-6
        assert result.l1_max == pytest.approx(l1[0], rel=1e-9)


def test_a_path_of_l1_is_logistic_regression_over_c() -> None:
    strengths = 0.38 * np.logspace(0, -2, 8)
    penalties = [{"kind": "l1", "strength": float(strength)} for strength in strengths]

    results = fit_path("breast-cancer", penalties, loss="binary_cross_entropy", rate=1.0, epochs=4000)

    x, y = rows_of(results[0])
    for result, strength in zip(results, strengths, strict=True):
        oracle = LogisticRegression(
            C=1 / (len(y) * strength), l1_ratio=1, solver="saga", tol=1e-10, max_iter=200_000
        ).fit(x, y)
        np.testing.assert_allclose(coefficients(result), oracle.coef_, atol=1e-4)
        np.testing.assert_array_equal(coefficients(result) == 0, oracle.coef_ == 0)
        assert result.kkt_residual < 1e-6


def test_a_path_of_l2_over_several_classes_is_logistic_regression_over_c() -> None:
    strengths = np.logspace(0, -3, 8)
    penalties = [{"kind": "l2", "strength": float(strength)} for strength in strengths]

    results = fit_path("wine", penalties, loss="cross_entropy", rate=1.0, epochs=4000)

    x, y = rows_of(results[0])
    for result, strength in zip(results, strengths, strict=True):
        oracle = LogisticRegression(C=1 / (len(y) * strength), solver="newton-cg", tol=1e-12, max_iter=10_000)
        np.testing.assert_allclose(coefficients(result), oracle.fit(x, y).coef_, atol=1e-4)
        assert result.kkt_residual < 1e-6


@pytest.mark.parametrize(
    ("data", "loss", "rate"), [("diabetes", "half_mse", 0.2), ("breast-cancer", "binary_cross_entropy", 1.0)]
)
def test_l1_max_is_the_smallest_strength_that_leaves_no_weight(data: str, loss: str, rate: float) -> None:
    (first,) = fit_path(data, [{"kind": "l1", "strength": 1.0}], loss=loss, rate=rate, epochs=1)
    x, y = rows_of(first)
    smallest = first.l1_max

    above, below = fit_path(
        data,
        [{"kind": "l1", "strength": smallest * share} for share in (1 + 1e-6, 1 - 1e-4)],
        loss=loss,
        rate=rate,
        epochs=2000,
    )

    # By the optimality conditions: without weights the best intercept predicts the mean, whatever the loss of the two.
    assert smallest == pytest.approx(np.abs(x.T @ (y - y.mean())).max() / len(y), rel=1e-9)
    assert (coefficients(above) == 0).all()
    assert np.count_nonzero(coefficients(below)) == 1
    assert above.kkt_residual < 1e-6
    assert below.kkt_residual < 1e-6


# Which strength to take


STRENGTHS = [0.0, *np.logspace(-3, 0.5, 7).tolist()]
SEEDS = range(4)


@pytest.fixture(scope="module")
def grid() -> list[list[Result]]:
    """Strengths by seeds of a small network on few rows, in one call."""
    results = train_many(
        [
            {
                "data": {"kind": "builtin", "name": "breast-cancer", "train_limit": 60, "validation_fraction": 0.3},
                "model": {"kind": "mlp", "hidden": [16]},
                "optimizer": {"kind": "sgd", "learning_rate": 0.1},
                "regularizers": [{"kind": "l2", "strength": strength}, {"kind": "dropout", "p": 0.3}],
                "training": {"epochs": 30, "batch_size": 20, "seed": seed, "eval_every_epochs": 30},
            }
            for strength in STRENGTHS
            for seed in SEEDS
        ]
    )
    return [results[start : start + len(SEEDS)] for start in range(0, len(results), len(SEEDS))]


def validation_metrics(result: Result) -> tuple[float, float]:
    """Loss and accuracy, from the model and the rows alone."""
    from sklearn.metrics import accuracy_score, log_loss

    rows = result.data.validation
    probabilities = result.model(rows.x).softmax(-1).detach().numpy()
    # log_loss holds probabilities to a sum of 1 in their own precision.
    probabilities = probabilities.astype(np.float64) / probabilities.astype(np.float64).sum(1, keepdims=True)
    return log_loss(rows.y, probabilities), accuracy_score(rows.y, probabilities.argmax(1))


@pytest.mark.parametrize(("metric", "column", "sign"), [("validation/loss", 0, 1), ("validation/accuracy", 1, -1)])
def test_best_and_one_standard_error_values_are_those_computed_apart(
    grid: list[list[Result]], metric: str, column: int, sign: int
) -> None:
    points = [
        PathPoint(strength, [result.summary() for result in results])
        for strength, results in zip(STRENGTHS, grid, strict=True)
    ]

    path = regularization_path(points, metric)

    costs = sign * np.array([[validation_metrics(result)[column] for result in results] for results in grid])
    means = costs.mean(1)
    # Of equal means the last, which is the strongest.
    best = len(STRENGTHS) - 1 - int(np.argmin(means[::-1].round(9)))
    error = math.sqrt(((costs[best] - means[best]) ** 2).sum() / (len(SEEDS) - 1) / len(SEEDS))
    (within,) = np.nonzero(means <= means[best] + error + 1e-9)
    assert path["best_value"] == STRENGTHS[best]
    assert path["one_standard_error_value"] == STRENGTHS[within[-1]]
    assert 0 < best < len(STRENGTHS) - 1, "the grid was to have its best inside"
    for point, mean in zip(path["points"], means, strict=True):
        assert sign * point["metrics"][metric]["value"] == pytest.approx(mean, rel=1e-5)
