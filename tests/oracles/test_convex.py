"""Convex problems with known minima: scikit-learn's solvers, run to convergence, are the oracle.

Full batch, float64, on real data. Units: with `half_mse`, Lasso and ElasticNet have λ₁ = α·r, λ₂ = α(1−r), Ridge has
α = n·λ₂; LogisticRegression has λ = 1/(n·C).
"""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from regcore import train

EPOCHS = 6000


def fit(data: str, regularizers: list[dict], *, loss: str, optimizer: dict, epochs: int = EPOCHS):
    """A linear model trained to its minimum; returns features, targets, coefficients and intercept."""
    result = train(
        {
            "data": {"kind": "builtin", "name": data, "validation_fraction": 0, "standardize_target": False},
            "task": {"loss": loss},
            "model": {"kind": "linear"},
            "optimizer": optimizer,
            "regularizers": regularizers,
            "training": {
                "epochs": epochs,
                "batch_size": "full",
                "precision": "float64",
                "eval_every_epochs": epochs,
            },
        }
    )
    x, y = result.data.train.x.numpy(), result.data.train.y.numpy()
    return x, y, result.model.head.weight.detach().numpy()[0], result.model.head.bias.detach().numpy()[0]


DIABETES = {"loss": "half_mse", "optimizer": {"kind": "sgd", "learning_rate": 0.2, "momentum": 0.9}}
CANCER = {"loss": "binary_cross_entropy", "optimizer": {"kind": "sgd", "learning_rate": 0.5, "momentum": 0.9}}


def squared_objective(x, y, w, b, l1: float, l2: float) -> float:
    residual = y - x.dot(w) - b
    return residual.dot(residual) / (2 * len(y)) + l1 * np.abs(w).sum() + l2 / 2 * w.dot(w)


def logistic_objective(x, y, w, b, l1: float, l2: float) -> float:
    margins = (2 * y - 1) * (x.dot(w) + b)
    return np.logaddexp(0, -margins).mean() + l1 * np.abs(w).sum() + l2 / 2 * w.dot(w)


def assert_same_minimum(objective, ours, theirs, x, y, *, l1: float, l2: float) -> None:
    reached, expected = objective(x, y, *ours, l1, l2), objective(x, y, *theirs, l1, l2)
    assert reached == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-4 * max(1.0, np.abs(theirs[0]).max()))
    np.testing.assert_array_equal(ours[0] == 0, theirs[0] == 0)


@pytest.mark.parametrize(
    ("regularizer", "l1", "l2"),
    [
        ({"kind": "l1", "strength": 2.0}, 2.0, 0.0),
        ({"kind": "l1", "strength": 0.1}, 0.1, 0.0),
        ({"kind": "l2", "strength": 0.5}, 0.0, 0.5),
        ({"kind": "elastic_net", "l1": 1.0, "l2": 0.3}, 1.0, 0.3),
    ],
)
def test_linear_regression_reaches_scikit_learns_minimum(regularizer: dict, l1: float, l2: float) -> None:
    x, y, w, b = fit("diabetes", [regularizer], **DIABETES)

    if l1 == 0:
        oracle = Ridge(alpha=len(y) * l2, tol=1e-12)
    elif l2 == 0:
        oracle = Lasso(alpha=l1, tol=1e-12, max_iter=100_000)
    else:
        oracle = ElasticNet(alpha=l1 + l2, l1_ratio=l1 / (l1 + l2), tol=1e-12, max_iter=100_000)
    oracle.fit(x, y)
    assert_same_minimum(squared_objective, (w, b), (oracle.coef_, oracle.intercept_), x, y, l1=l1, l2=l2)


@pytest.mark.parametrize(
    ("regularizer", "l1", "l2"),
    [
        ({"kind": "l1", "strength": 0.02}, 0.02, 0.0),
        ({"kind": "l2", "strength": 0.02}, 0.0, 0.02),
        ({"kind": "elastic_net", "l1": 0.01, "l2": 0.02}, 0.01, 0.02),
    ],
)
def test_logistic_regression_reaches_scikit_learns_minimum(regularizer: dict, l1: float, l2: float) -> None:
    x, y, w, b = fit("breast-cancer", [regularizer], **CANCER)

    total = l1 + l2
    oracle = LogisticRegression(
        C=1 / (len(y) * total), l1_ratio=l1 / total, solver="saga" if l1 else "lbfgs", tol=1e-12, max_iter=200_000
    ).fit(x, y)
    theirs = (oracle.coef_[0], oracle.intercept_[0])
    assert_same_minimum(logistic_objective, (w, b), theirs, x, y, l1=l1, l2=l2)


@pytest.mark.parametrize(
    "optimizer",
    [
        {"kind": "sgd", "learning_rate": 0.5, "momentum": 0},
        {"kind": "sgd", "learning_rate": 0.2, "momentum": 0.9},
        {"kind": "sgd", "learning_rate": 0.2, "momentum": 0.9, "nesterov": True},
        {"kind": "adam", "learning_rate": 0.05, "schedule": {"kind": "cosine"}},
        {"kind": "adamw", "learning_rate": 0.05, "schedule": {"kind": "cosine"}},
        {"kind": "rmsprop", "learning_rate": 0.02, "schedule": {"kind": "cosine"}},
        {"kind": "rmsprop", "learning_rate": 0.005, "momentum": 0.8, "schedule": {"kind": "cosine"}},
    ],
    ids=lambda optimizer: "-".join(str(part) for part in optimizer.values() if not isinstance(part, dict)),
)
def test_proximal_l1_meets_the_kkt_conditions_under_every_optimizer(optimizer: dict) -> None:
    strength = 0.02

    # Plain gradient descent has a tenth of the reach of momentum 0.9, and so needs more steps.
    epochs = EPOCHS * 6 if optimizer["kind"] == "sgd" and not optimizer["momentum"] else EPOCHS
    regularizers = [{"kind": "l1", "strength": strength}]
    x, y, w, b = fit("breast-cancer", regularizers, loss="binary_cross_entropy", optimizer=optimizer, epochs=epochs)

    gradient = x.T.dot(1 / (1 + np.exp(-x.dot(w) - b)) - y) / len(y)
    zero = w == 0
    assert 0 < zero.sum() < len(w)
    assert np.abs(gradient[zero]).max() <= strength * (1 + 1e-3)
    np.testing.assert_allclose(gradient[~zero], -strength * np.sign(w[~zero]), rtol=5e-3)


def test_with_scaled_targets_a_strength_is_of_the_scaled_objective() -> None:
    """λ₁ there is λ₁ · scale for targets as they are, and λ₂ is λ₂; what is told of the fit is in the target's unit.

    Rows, split and features are scikit-learn's own, so that a fault in ours would show too.
    """
    penalty = {"kind": "elastic_net", "l1": 0.013, "l2": 0.3}

    result = train(
        {
            "data": {
                "kind": "builtin",
                "name": "diabetes",
                "validation_fraction": 0,
                "test_fraction": 0.3,
                "split_seed": 5,
            },
            "task": {"loss": "half_mse"},
            "model": {"kind": "linear"},
            "optimizer": DIABETES["optimizer"],
            "regularizers": [penalty],
            "training": {"epochs": 3000, "batch_size": "full", "precision": "float64", "eval_every_epochs": 3000},
        }
    )

    patients = load_diabetes(scaled=False)
    raw, others, y, others_y = train_test_split(patients.data, patients.target, test_size=0.3, random_state=5)
    standard = StandardScaler().fit(raw)
    x, scale = standard.transform(raw), y.std()
    l1 = 0.013 * scale
    oracle = ElasticNet(alpha=l1 + 0.3, l1_ratio=l1 / (l1 + 0.3), tol=1e-12, max_iter=100_000).fit(x, y)
    weights = result.model.head.weight.detach().numpy()[0]
    np.testing.assert_allclose(weights * scale, oracle.coef_, atol=1e-6)
    assert result.metrics["train/loss"] == pytest.approx(((y - oracle.predict(x)) ** 2).mean() / 2, rel=1e-9)
    assert result.metrics["train/r2"] == pytest.approx(oracle.score(x, y), rel=1e-9)
    assert result.metrics["test/r2"] == pytest.approx(oracle.score(standard.transform(others), others_y), rel=1e-7)
    assert result.kkt_residual < 1e-9
    scaled = (y - y.mean()) / scale
    last = result.history[-1]["values"]
    seen = ((scaled - x @ weights - result.model.head.bias.item()) ** 2).mean() / 2
    assert last["objective/data"] == pytest.approx(seen, rel=1e-6)
    assert result.report["metrics"]["train"]["mae"]["value"] == pytest.approx(np.abs(y - oracle.predict(x)).mean())


def test_the_subgradient_method_reaches_no_zeros() -> None:
    regularizer = {"kind": "l1", "strength": 0.02, "method": "subgradient"}

    _, _, w, _ = fit("breast-cancer", [regularizer], epochs=500, **CANCER)

    assert (w != 0).all()


def test_input_dropout_on_least_squares_equals_its_ridge() -> None:
    """In expectation over masks, dropout with probability p adds p/(1−p)·mean(x_j²)·w_j² to the mean square."""
    p = 0.3
    result = train(
        {
            "data": {"kind": "builtin", "name": "diabetes", "validation_fraction": 0, "standardize_target": False},
            "task": {"loss": "half_mse"},
            "model": {"kind": "linear"},
            "optimizer": {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.9, "schedule": {"kind": "cosine"}},
            "regularizers": [{"kind": "dropout", "p": p, "where": "input"}],
            "training": {"epochs": 20_000, "batch_size": "full", "precision": "float64", "eval_every_epochs": 20_000},
        }
    )

    x, y = result.data.train.x.numpy(), result.data.train.y.numpy()
    centred = y - y.mean()
    ridge = np.linalg.solve(x.T @ x / len(y) + np.diag(p / (1 - p) * (x**2).mean(0)), x.T @ centred / len(y))
    ours = result.model.head.weight.detach().numpy()[0]
    plain = np.linalg.lstsq(x, centred, rcond=None)[0]
    # The masks of 20,000 steps leave a wobble well under a tenth of what dropout changes.
    assert np.linalg.norm(ours - ridge) < 0.1 * np.linalg.norm(plain - ridge)
