import numpy as np
import pytest
import torch
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import (
    balanced_accuracy_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    root_mean_squared_error,
)

from regcore import make_plan, train
from regcore.data.prepare_known import prepare
from regcore.loop.baseline import baseline_of
from regcore.loop.network import StackedNetwork
from regcore.loop.planned_rows import task_of

CANCER = {"data": {"kind": "builtin", "name": "breast-cancer"}, "model": {"kind": "linear"}}
DIABETES = {"data": {"kind": "builtin", "name": "diabetes"}, "model": {"kind": "linear"}}


def baseline(spec):
    plan = make_plan(spec)
    data = prepare(plan.resolved_spec)
    network = StackedNetwork([plan], dtype=data.train.x.dtype, device=torch.device("cpu"), autocast=False)
    return baseline_of(network, data, task_of(plan, data)), data


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_the_majority_class_is_scikit_learns_dummy(loss) -> None:
    found, data = baseline({**CANCER, "task": {"loss": loss}})

    dummy = DummyClassifier(strategy="prior").fit(data.train.x, data.train.y)
    for name in ("train", "validation", "test"):
        split = getattr(data, name)
        said = found["metrics"][name]
        assert said["accuracy"] == pytest.approx(dummy.score(split.x, split.y))
        assert said["balanced_accuracy"] == balanced_accuracy_score(split.y, dummy.predict(split.x)) == 0.5
        assert said["log_loss"] == pytest.approx(log_loss(split.y, dummy.predict_proba(split.x)), rel=1e-5)
        assert said["loss"] == pytest.approx(said["log_loss"], rel=1e-5)
        assert said["auroc"] == 0.5
    assert (found["kind"], found["label"]) == ("majority_class", "benign")


@pytest.mark.parametrize("scaled", [True, False])
def test_the_mean_is_scikit_learns_dummy_in_the_targets_unit(scaled) -> None:
    found, data = baseline({**DIABETES, "data": {**DIABETES["data"], "standardize_target": scaled}})

    def in_own_unit(y: torch.Tensor) -> np.ndarray:
        y = y.double()
        return (y if data.target_scaling is None else data.target_scaling.undone(y)).numpy()

    dummy = DummyRegressor().fit(data.train.x, in_own_unit(data.train.y))
    targets, said = in_own_unit(data.test.y), dummy.predict(data.test.x)
    assert found["value"] == pytest.approx(said[0], rel=1e-6)
    assert found["metrics"]["test"] == pytest.approx(
        {
            "loss": np.square(targets - said).mean(),
            "r2": r2_score(targets, said),
            "mae": mean_absolute_error(targets, said),
            "rmse": root_mean_squared_error(targets, said),
        },
        rel=1e-4,
        abs=1e-6,
    )


@pytest.mark.parametrize("name", ["wine", "digits"])
def test_the_mean_row_is_scikit_learns_dummy(name) -> None:
    data = {"kind": "builtin", "name": name}
    found, data = baseline({"data": data, "task": {"kind": "reconstruction"}, "model": {"kind": "linear"}})

    rows, test = data.train.x.flatten(1), data.test.x.flatten(1)
    said = DummyRegressor().fit(rows, rows).predict(test)
    assert found["kind"] == "mean_row"
    expected = mean_squared_error(test, said)
    assert found["metrics"]["test"] == pytest.approx({"loss": expected, "reconstruction_error": expected}, rel=1e-4)


def test_it_stands_in_the_report_beside_the_classes() -> None:
    result = train({**CANCER, "training": {"epochs": 2}})

    report = result.report
    assert report["baseline"]["label"] == "benign"
    assert report["positive_class"] == "benign"
    confusion = np.array(report["confusion_matrix"]["test"]["counts"])
    assert confusion.sum() == len(result.data.test)
    assert confusion.trace() / confusion.sum() == result.metrics["test/accuracy"]
    assert [row["label"] for row in report["classes"]["test"]] == ["malignant", "benign"]
