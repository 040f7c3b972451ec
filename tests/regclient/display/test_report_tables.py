import io
from typing import Any

import pytest
from rich.console import Console

from regclient.display.report_tables import report_parts

CELL = {"value": 0.5, "low": 0.4, "high": 0.6}
REPORT: dict[str, Any] = {
    "metrics": {"train": {"loss": CELL}, "test": {"loss": CELL, "accuracy": {"value": 0.9, "low": None, "high": None}}},
    "baseline": {"kind": "majority_class", "label": "no", "metrics": {"test": {"accuracy": 0.95, "auroc": None}}},
    "generalization_gap": CELL,
    "calibration": {"split": "test", "ece": 0.125},
    "sparsity": {"overall": 0.5, "by_layer": {"head": 0.25}, "dead_units": {"linear1": 3, "linear2": 0}},
    "regularizers": [{"kind": "l1", "share_of_objective": 0.0098, "share_of_gradient": 0.5, "note": "Adds [it]."}],
    "diagnosis": [
        {
            "verdict": "overfits",
            "evidence": {"message": "The gap is wide.", "confidence": "thin", "thin_because": ["9 rows", "no test"]},
            "suggestion": [{"op": "replace", "path": "/regularizers/0/strength", "value": 0.1}],
        }
    ],
}


def printed(report: dict[str, Any], width: int = 120) -> str:
    console = Console(width=width, file=io.StringIO())
    for part in report_parts(report, "job_1"):
        console.print(part)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above
    return text


@pytest.mark.parametrize(
    "line",
    [
        "loss 0.5 [0.4, 0.6] 0.5 [0.4, 0.6]",
        "accuracy – 0.9",
        "generalization gap 0.5 [0.4, 0.6] (test loss − train loss)",
        "calibration error 0.125 on test rows",
        "zero weights 50 %, head 25 %",
        "dead units linear1 3",
        "l1 0.98 % 50 % Adds [it].",
        "overfits: The gap is wide.",
        "The evidence is thin: 9 rows; no test.",
        "always 'no' accuracy 0.95, auroc – (test)",
    ],
)
def test_a_report_says_how_good_how_sure_and_what_the_regularizers_did(line: str) -> None:
    assert line in [" ".join(said.split()) for said in printed(REPORT).splitlines()]


def test_a_suggestion_is_the_command_that_tries_it() -> None:
    patch = """'[{"op": "replace", "path": "/regularizers/0/strength", "value": 0.1}]'"""

    assert f"regcore rerun job_1 --patch {patch}" in printed(REPORT)


def test_evidence_of_another_shape_is_shown_whole() -> None:
    diagnosis = [{"verdict": "odd", "evidence": {"gap": 2}}, {"verdict": "plain", "evidence": "It is."}]

    text = printed({"diagnosis": diagnosis})

    assert 'odd: {"gap": 2}' in text
    assert "plain: It is." in text


@pytest.mark.parametrize(("kind", "words"), [("mean", "the mean"), ("mean_row", "the mean row")])
def test_the_mean_stands_beside_a_regression_and_the_mean_row_beside_a_reconstruction(kind: str, words: str) -> None:
    baseline = {"kind": kind, "metrics": {"train": {"loss": 2.5}}}

    assert f"always {words} loss 2.5 (train)" in " ".join(printed({"baseline": baseline}).split())


def test_what_a_report_lacks_is_left_out() -> None:
    text = printed({"metrics": {}})

    for title in ("calibration", "dead units", "regularizer ", "zero weights"):
        assert title not in text


def test_a_report_fits_80_columns() -> None:
    without_command = {name: part for name, part in REPORT.items() if name != "diagnosis"}

    assert max(map(len, printed(without_command, 80).splitlines())) <= 80


def test_the_picture_is_named_where_the_server_has_drawn_one() -> None:
    said = "regcore download job_1 confusion_matrix.svg"

    assert said in printed(REPORT | {"most_confused": {"test": []}})
    assert said not in printed(REPORT)
