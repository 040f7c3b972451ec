import json
import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss, mean_absolute_error, r2_score
from sklearn.preprocessing import StandardScaler

from regcore.report import RegularizerEffect, make_report
from regcore.split_metrics import SplitEvaluation


def report_of(task, evaluations, **changes):
    inputs = {
        "task": task,
        "evaluations": evaluations,
        "history": [],
        "parameters": {},
        "regularizers": [],
        "data_loss": 1.0,
        "dead_units": {},
    }
    return make_report(**{**inputs, **changes})


@pytest.fixture(scope="module")
def classifier_evaluations():
    x, y = load_breast_cancer(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    model = LogisticRegression().fit(x[:300], y[:300])

    def evaluate(rows):
        probabilities = model.predict_proba(x[rows])
        loss = -np.log(probabilities[np.arange(len(probabilities)), y[rows]])
        return SplitEvaluation(loss, probabilities.argmax(axis=1), y[rows], probabilities)

    return {"train": evaluate(slice(0, 300)), "test": evaluate(slice(300, None))}


@pytest.fixture(scope="module")
def regression_evaluation():
    x, y = load_diabetes(return_X_y=True)
    predictions = LinearRegression().fit(x, y).predict(x)
    return SplitEvaluation((predictions - y) ** 2, predictions, y)


def test_classification_metrics_are_scikit_learns_inside_their_intervals(classifier_evaluations):
    test = classifier_evaluations["test"]

    metrics = report_of("classification", classifier_evaluations)["metrics"]["test"]

    assert metrics["loss"]["value"] == pytest.approx(log_loss(test.targets, test.probabilities))
    assert metrics["accuracy"]["value"] == (test.predictions == test.targets).mean()
    for entry in metrics.values():
        assert entry["low"] < entry["value"] < entry["high"]


def test_regression_metrics_are_scikit_learns_inside_their_intervals(regression_evaluation):
    rows = regression_evaluation

    metrics = report_of("regression", {"train": rows})["metrics"]["train"]

    assert metrics["r2"]["value"] == pytest.approx(r2_score(rows.targets, rows.predictions))
    assert metrics["mae"]["value"] == pytest.approx(mean_absolute_error(rows.targets, rows.predictions))
    for entry in metrics.values():
        assert entry["low"] < entry["value"] < entry["high"]


@pytest.mark.parametrize("num_rows", [2, 113, 1000])
def test_targets_that_are_all_equal_have_no_r2_however_their_mean_is_rounded(num_rows):
    targets = np.full(num_rows, 14.62)
    predictions = targets + np.linspace(-1, 1, num_rows)

    rows = SplitEvaluation((predictions - targets) ** 2, predictions, targets)
    metrics = report_of("regression", {"train": rows})["metrics"]["train"]

    assert metrics["r2"]["value"] is None


def test_resamples_of_equal_targets_have_no_r2_either():
    targets = np.array([0.1] * 9 + [0.7])
    predictions = targets + np.linspace(-0.1, 0.1, 10)

    rows = SplitEvaluation((predictions - targets) ** 2, predictions, targets)
    r2 = report_of("regression", {"train": rows})["metrics"]["train"]["r2"]

    assert r2 == {"value": pytest.approx(r2_score(targets, predictions)), "low": None, "high": None}


def test_the_gap_is_test_minus_train_with_an_interval(classifier_evaluations):
    report = report_of("classification", classifier_evaluations)

    gap, metrics = report["generalization_gap"], report["metrics"]
    assert gap["value"] == metrics["test"]["loss"]["value"] - metrics["train"]["loss"]["value"]
    assert gap["low"] < gap["value"] < gap["high"]


def test_there_is_no_gap_without_a_test_split(regression_evaluation):
    report = report_of("regression", {"train": regression_evaluation})

    assert report["generalization_gap"] is None
    assert report["calibration"] is None


def test_calibration_error_is_the_weighted_distance_of_confidence_and_accuracy(classifier_evaluations):
    test = classifier_evaluations["test"]
    confidence = test.probabilities.max(axis=1)
    bins = np.ceil(confidence * 15)
    expected = sum(
        (bins == b).mean() * abs(confidence[bins == b].mean() - (test.predictions == test.targets)[bins == b].mean())
        for b in np.unique(bins)
    )

    calibration = report_of("classification", classifier_evaluations)["calibration"]

    assert calibration == {"split": "test", "ece": pytest.approx(expected, abs=1e-5)}


@pytest.mark.parametrize("seed", range(3))
def test_calibration_error_equals_torchmetrics(seed):
    from torchmetrics.functional.classification import multiclass_calibration_error

    dice = np.random.default_rng(seed)
    probabilities = dice.dirichlet([0.3] * 4, 500)
    targets = dice.integers(0, 4, 500)
    expected = multiclass_calibration_error(torch.tensor(probabilities), torch.tensor(targets), 4, n_bins=15)
    evaluation = SplitEvaluation(dice.random(500), probabilities.argmax(1), targets, probabilities)

    calibration = report_of("classification", {"train": evaluation})["calibration"]

    assert calibration == {"split": "train", "ece": pytest.approx(float(expected), abs=1e-6)}


def test_sparsity_and_norms_are_of_weights_by_layer():
    parameters = {
        "linear1.weight": torch.tensor([[0.0, 3.0], [0.0, -4.0]]),
        "linear1.bias": torch.tensor([0.0, 100.0]),
        "head.weight": torch.tensor([[1.0, 1.0]]),
    }

    report = report_of("regression", {}, parameters=parameters, dead_units={"linear1": 1})

    assert report["sparsity"] == {
        "overall": pytest.approx(2 / 6),
        "by_layer": {"linear1": 0.5, "head": 0.0},
        "dead_units": {"linear1": 1},
    }
    assert report["norms"]["linear1"] == {"l1": 7.0, "l2": 5.0, "max": 4.0}


def test_each_regularizer_has_its_share_of_the_objective():
    effects = [RegularizerEffect("l1", ["linear1.weight"], 0.5), RegularizerEffect("dropout", ["dropout1"])]

    first, second = report_of("regression", {}, regularizers=effects, data_loss=1.5)["regularizers"]

    assert first == {"kind": "l1", "touched": ["linear1.weight"], "share_of_objective": 0.25, "note": None}
    assert second["share_of_objective"] is None


def test_curves_are_columns_of_equal_length():
    history = [
        {"epoch": 1, "step": 5, "values": {"train/loss": 2.0}},
        {"epoch": 2, "step": 10, "values": {"train/loss": 1.0, "test/loss": None}},
    ]

    curves = report_of("regression", {}, history=history)["curves"]

    assert curves == {
        "epoch": [1, 2],
        "step": [5, 10],
        "values": {"train/loss": [2.0, 1.0], "test/loss": [None, None]},
    }


def test_what_is_not_finite_is_null():
    rows = SplitEvaluation(np.array([math.inf, 1.0]), np.array([math.nan, 1.0]), np.array([0.0, 1.0]))

    report = report_of("regression", {"train": rows}, data_loss=math.inf)

    assert report["metrics"]["train"]["loss"] == {"value": None, "low": None, "high": None}
    json.dumps(report, allow_nan=False)
