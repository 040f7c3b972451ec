from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import top_k_accuracy_score

from regcore import make_plan, parse_spec, train
from regcore.data import source
from regcore.data.prepared import Split
from regcore.loop.group import Newcomer, train_group

RECONSTRUCTION = {"task": {"kind": "reconstruction"}, "model": {"kind": "linear"}}
REGRESSION = {"data": {"kind": "builtin", "name": "diabetes"}, "model": {"kind": "linear"}}

CHANGES = {"classification": {}, "regression": REGRESSION, "reconstruction": RECONSTRUCTION}


@pytest.fixture(params=["classification", "regression", "reconstruction"])
def results(request, make_job):
    """Of a pass with two members, by key."""
    changes = CHANGES[request.param]
    jobs = [make_job(**changes | {"training": {"seed": seed, "precision": "float64"}}) for seed in range(2)]
    return dict(train_group([Newcomer(str(k), make_plan(parse_spec(job))) for k, job in enumerate(jobs)]))


def test_metrics_and_rows_are_those_of_the_members_own_module(results):
    for result in results.values():
        for name in ("train", "validation", "test"):
            split = getattr(result.data, name)
            outputs = result.model(split.x).detach()
            if result.plan.task == "classification":
                losses = torch.nn.functional.cross_entropy(outputs, split.y, reduction="none")
                second, worth = "accuracy", (outputs.argmax(1) == split.y).double()
            elif result.plan.task == "reconstruction":
                losses = (outputs - split.x.flatten(1)).square().mean(1)
                second, worth = "reconstruction_error", losses
            else:
                errors = (outputs[:, 0] - split.y) * result.data.target_scaling.scale
                losses, second, worth = errors**2, "mae", errors.abs()
            assert result.metrics[f"{name}/loss"] == pytest.approx(losses.mean().item())
            assert result.metrics[f"{name}/{second}"] == pytest.approx(worth.mean().item())
            assert result.rows[f"{name}/loss"] == pytest.approx(losses.numpy())
            assert result.rows[f"{name}/{second}"] == pytest.approx(worth.numpy())


def test_every_metric_has_rows_with_the_metric_as_their_mean(results):
    for result in results.values():
        assert result.rows.keys() == result.metrics.keys()
        for name, value in result.metrics.items():
            assert result.rows[name].mean(dtype=np.float64) == pytest.approx(value, rel=1e-6)


def test_the_worst_rows_are_those_of_the_tasks_own_error(results):
    for result in results.values():
        worst = result.report["worst_rows"]
        for name, split in worst["splits"].items():
            errors = result.rows[f"{name}/{worst['metric']}"]
            places = np.argsort(-errors, kind="stable")[: len(split["rows"])]
            assert [told["row"] for told in split["rows"]] == (getattr(result.data, name).rows[places] + 1).tolist()
            assert [told["value"] for told in split["rows"]] == pytest.approx(errors[places].tolist())
        assert result.report["groups"] is None


def test_rows_are_small_in_what_is_stored(results):
    assert {rows.dtype.name for rows in results["0"].rows.values()} <= {"float32", "bool"}


def test_of_very_sure_networks_the_five_best_are_found_by_logits(make_job):
    result = train(make_job(optimizer={"kind": "sgd", "learning_rate": 500.0}, model={"kind": "linear"}))

    logits, labels = result.model(result.data.test.x).detach().numpy(), result.data.test.y.numpy()
    shares = result.predict_proba(load_digits().images[result.data.test.rows])
    expected = top_k_accuracy_score(labels, logits, k=5, labels=np.arange(10))
    assert top_k_accuracy_score(labels, shares, k=5, labels=np.arange(10)) != expected
    assert result.metrics["test/top5_accuracy"] == expected
    cell = result.report["metrics"]["test"]["top5_accuracy"]
    assert cell["low"] < cell["value"] == expected < cell["high"]


def test_training_can_stop_by_the_five_best(make_job):
    watched = {"kind": "early_stopping", "metric": "validation/top5_accuracy", "patience": 9}
    result = train(make_job(regularizers=[watched]))

    curve = [row["values"]["validation/top5_accuracy"] for row in result.history]
    assert result.metrics["validation/top5_accuracy"] == max(curve)
    assert result.selected_epoch == result.history[int(np.argmax(curve))]["epoch"]


def test_targets_that_are_all_equal_have_no_r2_and_no_rows_of_it(monkeypatch, make_job):
    real = source.prepare

    def constant(*args, **options):
        data = real(*args, **options)
        return replace(data, test=Split(data.test.x, torch.ones_like(data.test.y)))

    monkeypatch.setattr(source, "prepare", constant)

    records = []
    result = train(make_job(**REGRESSION), on_record=records.append)

    assert result.metrics["test/r2"] is None
    (warning,) = [record.body for record in records if record.kind == "warning"]
    assert warning["code"] == "metric_not_finite"
    assert "has no finite test/r2:" in warning["message"]
    assert "test/r2" not in result.rows
    assert {"test/loss", "test/mae", "train/r2"} <= result.rows.keys()


def test_norms_and_zeros_are_over_weights_alone(make_job):
    result = train(make_job(regularizers=[{"kind": "l1", "strength": 0.05}]))

    weights = [value.numpy() for name, value in result.model.state_dict().items() if name.endswith("weight")]
    flat = np.concatenate([weight.ravel() for weight in weights]).astype(np.float64)
    assert result.norms["l1"] == pytest.approx(np.abs(flat).sum())
    assert result.norms["l2"] == pytest.approx(np.linalg.norm(flat))
    assert 0 < result.sparsity == pytest.approx((flat == 0).mean())


def test_each_member_has_its_own_history_plan_and_weights(results):
    first, second = results["0"], results["1"]

    assert first.weights_sha256 != second.weights_sha256
    assert first.history is not second.history
    assert [result.plan.resolved_spec.training.seed for result in (first, second)] == [0, 1]


def test_without_test_rows_there_is_no_gap(make_job):
    result = train(make_job(data={"test_fraction": 0}))

    assert result.generalization_gap is None
    assert "test/loss" not in result.metrics


def test_the_report_tells_of_each_regularizer_with_its_penalty(make_job):
    regularizers = [{"kind": "l2", "strength": 0.1}, {"kind": "dropout", "p": 0.1}]

    result = train(make_job(regularizers=regularizers))

    first, second = result.report["regularizers"]
    assert (first["kind"], second["kind"]) == ("l2", "dropout")
    assert first["touched"] == ["linear1.weight", "head.weight"]
    assert second["touched"] == []


@pytest.mark.parametrize(
    "schedule", [{"kind": "constant"}, {"kind": "step", "every_epochs": 2, "gamma": 0.5}], ids=["constant", "step"]
)
def test_what_the_report_says_of_the_objective_is_of_the_epoch_that_was_kept(make_job, schedule):
    """The oracle is a run that ends with that epoch."""
    penalties = [{"kind": "l2", "strength": 0.05, "schedule": schedule}, {"kind": "l1", "strength": 1e-4}]
    changes = {"optimizer": {"learning_rate": 1.5, "momentum": 0.0}, "training": {"epochs": 30, "batch_size": 10}}
    job = make_job(**changes, regularizers=[*penalties, {"kind": "early_stopping", "patience": 5}])

    stopped = train(job)

    assert stopped.selected_epoch < stopped.history[-1]["epoch"]
    changes["training"] |= {"epochs": stopped.selected_epoch}
    until_then = train(make_job(**changes, regularizers=penalties))
    assert stopped.weights_sha256 == until_then.weights_sha256
    for found, expected in zip(stopped.report["regularizers"], until_then.report["regularizers"], strict=False):
        assert found["share_of_objective"] == expected["share_of_objective"]
    for name in ("norms", "sparsity", "metrics", "calibration", "generalization_gap"):
        assert stopped.report[name] == until_then.report[name]
