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
from regcore.tasks import Classification
from regcore.tasks.scores.classification import ClassEvaluation
from regcore.tasks.scores.regression import NumberEvaluation


def report_of(evaluations, **changes):
    inputs = {
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
        return ClassEvaluation(loss, probabilities.argmax(axis=1), y[rows], probabilities)

    return {"train": evaluate(slice(0, 300)), "test": evaluate(slice(300, None))}


@pytest.fixture(scope="module")
def regression_evaluation():
    x, y = load_diabetes(return_X_y=True)
    predictions = LinearRegression().fit(x, y).predict(x)
    return NumberEvaluation((predictions - y) ** 2, predictions, y)


def test_classification_metrics_are_scikit_learns_inside_their_intervals(classifier_evaluations):
    test = classifier_evaluations["test"]

    metrics = report_of(classifier_evaluations)["metrics"]["test"]

    assert metrics["loss"]["value"] == pytest.approx(log_loss(test.targets, test.probabilities))
    assert metrics["accuracy"]["value"] == (test.predictions == test.targets).mean()
    for entry in metrics.values():
        assert entry["low"] < entry["value"] < entry["high"]


def test_regression_metrics_are_scikit_learns_inside_their_intervals(regression_evaluation):
    rows = regression_evaluation

    metrics = report_of({"train": rows})["metrics"]["train"]

    assert metrics["r2"]["value"] == pytest.approx(r2_score(rows.targets, rows.predictions))
    assert metrics["mae"]["value"] == pytest.approx(mean_absolute_error(rows.targets, rows.predictions))
    for entry in metrics.values():
        assert entry["low"] < entry["value"] < entry["high"]


def test_the_gap_is_test_minus_train_with_an_interval(classifier_evaluations):
    report = report_of(classifier_evaluations)

    gap, metrics = report["generalization_gap"], report["metrics"]
    assert gap["value"] == metrics["test"]["loss"]["value"] - metrics["train"]["loss"]["value"]
    assert gap["low"] < gap["value"] < gap["high"]


def test_there_is_no_gap_without_a_test_split(regression_evaluation):
    report = report_of({"train": regression_evaluation})

    assert report["generalization_gap"] is None


def test_what_the_task_adds_stands_beside_the_rest(classifier_evaluations):
    described = Classification.described(classifier_evaluations, ["malignant", "benign"])

    report = report_of(classifier_evaluations, described=described)

    assert report["positive_class"] == "benign"
    assert report["confusion_matrix"]["test"]["labels"] == ["malignant", "benign"]
    assert report["calibration"]["split"] == "test"


def test_sparsity_and_norms_are_of_weights_by_layer():
    parameters = {
        "linear1.weight": torch.tensor([[0.0, 3.0], [0.0, -4.0]]),
        "linear1.bias": torch.tensor([0.0, 100.0]),
        "head.weight": torch.tensor([[1.0, 1.0]]),
    }

    report = report_of({}, parameters=parameters, dead_units={"linear1": 1})

    assert report["sparsity"] == {
        "overall": pytest.approx(2 / 6),
        "by_layer": {"linear1": 0.5, "head": 0.0},
        "dead_units": {"linear1": 1},
    }
    assert report["norms"]["linear1"] == {"l1": 7.0, "l2": 5.0, "max": 4.0}


def test_each_regularizer_has_its_share_of_the_objective():
    effects = [RegularizerEffect("l1", ["linear1.weight"], 0.5), RegularizerEffect("dropout", ["dropout1"])]

    first, second = report_of({}, regularizers=effects, data_loss=1.5)["regularizers"]

    assert first == {"kind": "l1", "touched": ["linear1.weight"], "share_of_objective": 0.25, "note": None}
    assert second["share_of_objective"] is None


def test_curves_are_columns_of_equal_length():
    history = [
        {"epoch": 1, "step": 5, "values": {"train/loss": 2.0}},
        {"epoch": 2, "step": 10, "values": {"train/loss": 1.0, "test/loss": None}},
    ]

    curves = report_of({}, history=history)["curves"]

    assert curves == {
        "epoch": [1, 2],
        "step": [5, 10],
        "values": {"train/loss": [2.0, 1.0], "test/loss": [None, None]},
    }


def test_what_is_not_finite_is_null():
    rows = NumberEvaluation(np.array([math.inf, 1.0]), np.array([math.nan, 1.0]), np.array([0.0, 1.0]))

    report = report_of({"train": rows}, data_loss=math.inf)

    assert report["metrics"]["train"]["loss"] == {"value": None, "low": None, "high": None}
    json.dumps(report, allow_nan=False)
