from typing import Any

import numpy as np
import pytest
from jsonpatch import apply_patch

from regcore import make_plan, parse_spec, train
from regcore.diagnosis import diagnose
from regcore.doubts import Doubt

DIABETES = {"kind": "builtin", "name": "diabetes", "train_limit": 100}
LARGE = {"kind": "mlp", "hidden": [128]}
ADAM = {"kind": "adam", "learning_rate": 0.01}
WEAK_DECAY = {"kind": "weight_decay", "strength": 1e-7}
UNEVEN = [50.0, 1.0, 1.0]

MADE_TO_SHOW: dict[str, tuple[str, dict[str, Any], str]] = {
    "overfit, with the best epoch behind": (
        "overfit",
        {"data": DIABETES, "model": LARGE, "optimizer": ADAM, "training": {"epochs": 60}},
        "test/loss",
    ),
    "overfit, without validation rows": (
        "overfit",
        {"data": {**DIABETES, "validation_fraction": 0}, "model": LARGE, "optimizer": ADAM, "training": {"epochs": 60}},
        "test/loss",
    ),
    "underfit by few epochs": (
        "underfit",
        {
            "data": {"kind": "builtin", "name": "digits"},
            "model": {"kind": "mlp", "hidden": [32]},
            "training": {"epochs": 3},
        },
        "test/loss",
    ),
    "underfit by short steps": (
        "underfit",
        {
            "data": {"kind": "builtin", "name": "wine"},
            "model": {"kind": "linear"},
            "optimizer": {"kind": "sgd", "learning_rate": 1e-4},
        },
        "test/loss",
    ),
    "underfit by regularizers": (
        "underfit",
        {
            "data": {"kind": "builtin", "name": "wine"},
            "model": {"kind": "mlp", "hidden": [16]},
            "regularizers": [{"kind": "dropout", "p": 0.95}, {"kind": "l2", "strength": 0.1}],
            "training": {"epochs": 30},
        },
        "test/loss",
    ),
    **{
        f"underfit because {strong['kind']} leaves no weight": (
            "underfit",
            {
                "data": {"kind": "builtin", "name": "digits", "train_limit": 300},
                "model": {"kind": "mlp", "hidden": [16]},
                "optimizer": {"kind": "adam", "learning_rate": 0.003},
                "regularizers": [strong],
                "training": {"epochs": 20},
            },
            "test/loss",
        )
        for strong in ({"kind": "l1", "strength": 0.3}, {"kind": "group_lasso", "strength": 0.03})
    },
    "no effect": (
        "no_effect",
        {
            "data": {**DIABETES, "validation_fraction": 0},
            "model": LARGE,
            "optimizer": ADAM,
            "regularizers": [WEAK_DECAY],
            "training": {"epochs": 60},
        },
        "test/loss",
    ),
}


@pytest.mark.parametrize("case", MADE_TO_SHOW)
def test_each_verdict_is_found_where_it_is_made_and_its_patch_does_better(case: str) -> None:
    verdict, spec, metric = MADE_TO_SHOW[case]

    result = train(spec)
    (found,) = [one for one in result.report["diagnosis"] if one["verdict"] == verdict]
    patched = apply_patch(result.plan.resolved_spec.model_dump(mode="json"), found["suggestion"])
    again = train(patched)

    assert found["suggestion"]
    assert again.metrics[metric] < 0.9 * result.metrics[metric]


def test_what_a_linear_model_cannot_tell_is_underfit_and_a_hidden_layer_tells_it() -> None:
    x = np.random.default_rng(0).normal(size=(400, 2))
    y = np.where(x[:, 0] * x[:, 1] > 0, "same", "other")

    result = train({"model": {"kind": "linear"}, "optimizer": ADAM, "training": {"epochs": 40}}, x, y)
    (found,) = result.report["diagnosis"]
    again = train(apply_patch(result.plan.resolved_spec.model_dump(mode="json"), found["suggestion"]), x, y)

    assert (found["verdict"], found["evidence"]["confidence"]) == ("underfit", "thin")
    assert again.metrics["test/accuracy"] > 0.9 > 0.65 > result.metrics["test/accuracy"]


def test_a_network_that_says_the_largest_class_alone_tells_the_others_once_classes_count_alike() -> None:
    rng = np.random.default_rng(1)
    y = rng.random(1_000) < 0.05
    x = rng.normal(size=(1_000, 3)) + 0.7 * y[:, None]

    result = train({"model": {"kind": "linear"}, "training": {"epochs": 30}}, x, y)
    (found,) = [one for one in result.report["diagnosis"] if one["verdict"] == "majority_only"]
    again = train(apply_patch(result.plan.resolved_spec.model_dump(mode="json"), found["suggestion"]), x, y)

    assert result.metrics["test/accuracy"] > 0.93
    assert again.metrics["test/balanced_accuracy"] > result.metrics["test/balanced_accuracy"] + 0.15
    assert all(one["verdict"] != "majority_only" for one in again.report["diagnosis"])


def test_a_column_made_from_the_target_is_a_leak_until_the_patch_leaves_it_out() -> None:
    rng = np.random.default_rng(2)
    x = {"size": rng.normal(size=300), "paid": rng.integers(2, size=300).astype(float)}
    y = np.where(x["paid"] > 0, "yes", "no")
    rows = [dict(zip(x, values, strict=True)) for values in zip(*x.values(), strict=True)]

    result = train({"model": {"kind": "linear"}}, rows, y)
    found = result.report["diagnosis"][0]
    again = train(apply_patch(result.plan.resolved_spec.model_dump(mode="json"), found["suggestion"]), rows, y)

    assert (found["verdict"], found["evidence"]["confidence"]) == ("leak_suspected", "firm")
    assert "paid" in found["evidence"]["message"]
    assert all(one["verdict"] != "leak_suspected" for one in again.report["diagnosis"])


@pytest.mark.parametrize("name", ["wine", "breast-cancer", "diabetes", "digits"])
def test_a_linear_model_of_a_clean_set_fits_well_and_nothing_else_is_said(name: str) -> None:
    result = train({"data": {"kind": "builtin", "name": name}, "model": {"kind": "linear"}, "training": {"epochs": 40}})

    assert [one["verdict"] for one in result.report["diagnosis"]] == ["well_fitted"]
    assert result.report["diagnosis"][0]["suggestion"] == []


def cell(value: float, half: float = 0.01) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def a_report(train_loss: float, loss: float, **changes: Any) -> dict[str, Any]:
    metrics = {"train": {"loss": cell(train_loss)}, "validation": {"loss": cell(loss), **changes.pop("others", {})}}
    values = {"train/loss": [1.0, train_loss, train_loss], "validation/loss": [1.0, loss, loss]}
    baseline = {"accuracy": 0.95, "balanced_accuracy": 0.5, "loss": 1.0}
    return {
        "metrics": metrics,
        "baseline": {"kind": "majority_class", "label": "no", "metrics": {"train": baseline, "validation": baseline}},
        "curves": {"epoch": [1, 2, 3], "step": [1, 2, 3], "values": values},
        "sparsity": {"overall": 0.0, "by_layer": {"head": 0.0}},
        "regularizers": [],
        **changes,
    }


def verdicts(report: dict[str, Any], *, num_rows: int = 1_000, findings: Any = (), **spec: Any) -> list[dict[str, Any]]:
    wine = {"data": {"kind": "builtin", "name": "wine"}, "model": {"kind": "linear"}, **spec}
    return diagnose(
        report,
        make_plan(parse_spec(wine)).resolved_spec,
        num_rows={"train": 4 * num_rows, "validation": num_rows, "test": 0},
        num_steps=300,
        selected_epoch=3,
        findings=findings,
    )


@pytest.mark.parametrize(
    ("report", "num_rows", "why"),
    [
        (a_report(0.3, 0.3), 30, "30 rows"),
        (a_report(0.3, 0.3, metrics={"train": {"loss": cell(0.3)}}), 1_000, "neither a validation nor a test split"),
        (a_report(0.8, 1.0), 1_000, "reaches the loss of always saying the same"),
    ],
    ids=["few rows", "no split", "no better than the baseline"],
)
def test_where_the_evidence_is_thin_it_says_so(report: dict[str, Any], num_rows: int, why: str) -> None:
    (found,) = verdicts(report, num_rows=num_rows)

    assert found["evidence"]["confidence"] == "thin"
    assert any(why in one for one in found["evidence"]["thin_because"])


def test_enough_evidence_is_firm() -> None:
    (found,) = verdicts(a_report(0.3, 0.3))

    assert (found["verdict"], found["evidence"]["confidence"]) == ("well_fitted", "firm")


def test_a_column_that_gives_the_target_away_is_a_leak_with_its_patch() -> None:
    patch = ({"op": "add", "path": "/data/exclude/-", "value": "paid"},)
    doubt = Doubt("/data/exclude", "column_equals_target", "'paid' tells all.", "Leave it out.", patch)

    found = verdicts(a_report(0.01, 0.01), findings=[doubt])[0]

    assert (found["verdict"], found["suggestion"]) == ("leak_suspected", list(patch))


def test_scores_too_good_to_be_true_are_a_leak_of_thin_evidence() -> None:
    found = verdicts(a_report(0.001, 0.001, others={"accuracy": cell(0.999, 0.001)}))[0]

    assert (found["verdict"], found["evidence"]["confidence"]) == ("leak_suspected", "thin")


def test_an_accuracy_of_the_largest_class_alone_is_no_success() -> None:
    others = {"accuracy": cell(0.95), "balanced_accuracy": cell(0.5)}

    found = verdicts(a_report(0.5, 0.5, others=others))[-1]

    assert found["verdict"] == "majority_only"
    assert "always to say 'no' gives 0.95" in found["evidence"]["message"]
    assert found["suggestion"][0]["value"] == "balanced"
    weighted = verdicts(a_report(0.5, 0.5, others=others), task={"class_weights": UNEVEN})
    assert [one["verdict"] for one in weighted] == ["well_fitted"]


@pytest.mark.parametrize(("train_loss", "said"), [(0.98, "2 % below"), (1.02, "2 % above")])
def test_a_network_that_has_not_begun_to_learn_is_underfit(train_loss: float, said: str) -> None:
    (found,) = verdicts(a_report(train_loss, 1.0))

    assert found["verdict"] == "underfit"
    assert f"is {said} that of always saying the same" in found["evidence"]["message"]


def test_a_network_without_weights_is_not_to_train_longer() -> None:
    """Its loss may still fall, by biases alone."""
    report = a_report(0.99, 0.99, sparsity={"overall": 0.9, "by_layer": {"first": 1.0, "head": 0.5}})
    report["curves"]["values"] = {name: [1.2, 1.1, 0.99] for name in ("train/loss", "validation/loss")}
    report["regularizers"] = [{"share_of_objective": 0.0}]

    found = verdicts(report, regularizers=[{"kind": "group_lasso", "strength": 0.5}])[0]

    assert "while all weights of first are zero. Regularize less." in found["evidence"]["message"]
    assert found["suggestion"] == [{"op": "replace", "path": "/regularizers/0/strength", "value": 0.005}]


@pytest.mark.parametrize(("kind", "verdict"), [("l2", "underfit"), ("r_drop", "well_fitted")])
def test_a_large_penalty_holds_a_network_back_if_it_grows_with_the_weights(kind: str, verdict: str) -> None:
    report = a_report(0.3, 0.3, regularizers=[{"share_of_objective": 0.5}])

    found = verdicts(report, regularizers=[{"kind": kind, "strength": 1.0}])[0]

    assert found["verdict"] == verdict
    assert ("while penalties are 50 % of the objective" in found["evidence"]["message"]) == (kind == "l2")


def test_a_gap_within_noise_is_not_overfitting() -> None:
    noisy = {"loss": {"value": 0.6, "low": 0.1, "high": 1.1}}

    (found,) = verdicts(a_report(0.3, 0.6, others=noisy))

    assert found["verdict"] == "well_fitted"
    assert "the gap's interval reaches that of an overfit network" in found["evidence"]["thin_because"]


def test_without_finite_losses_nothing_is_said() -> None:
    assert verdicts(a_report(0.3, 0.3, metrics={"train": {"loss": dict.fromkeys(cell(0), None)}})) == []
