import io
from typing import Any

import pytest
from rich.console import Console

from regclient.display.class_tables import MAX_CLASSES, MAX_CONFUSED, MAX_PAIRS, class_parts


def row(label: str, f1: float | None = 0.5) -> dict[str, Any]:
    return {"label": label, "precision": None, "recall": 0.25, "f1": f1, "support": 1200, "num_predicted": 0}


def report(labels: list[str]) -> dict[str, Any]:
    counts = [[10 * k + j for j in range(len(labels))] for k in range(len(labels))]
    confusion = {"labels": labels, "counts": counts}
    classes = [row(label, k / 100) for k, label in enumerate(labels)]
    return {"positive_class": "ye[s]", "classes": {"test": classes}, "confusion_matrix": {"test": confusion}}


def printed(parts: Any, width: int = 100) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    for part in parts:
        console.print(part)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.mark.parametrize(
    "line",
    [
        "class (test) precision recall F1 rows",
        "ye[s] (the positive class) – 0.25 0.01 1,200",
        "true (test) \\ predicted no ye[s]",
        "ye[s] 10 11",
    ],
)
def test_each_class_and_what_it_is_taken_for_is_told(line: str) -> None:
    assert line in printed(class_parts(report(["no", "ye[s]"])))


def test_of_many_classes_the_worst_are_told() -> None:
    lines = printed(class_parts(report([f"c{k}" for k in range(MAX_CLASSES + 5)])))

    assert len(lines) == MAX_CLASSES + 2
    assert lines[-1] == "The 30 of 35 classes with the lowest F1."


def test_a_confusion_that_does_not_fit_is_left_out() -> None:
    assert len(class_parts(report([f"c{k}" for k in range(MAX_CONFUSED + 1)]))) == 1


def test_in_its_place_are_the_pairs_that_are_confused_the_most() -> None:
    pairs = [{"label": "c[a]t", "predicted": "dog", "num_rows": 1200 - k, "share": 0.125} for k in range(15)]
    found = report([f"c{k}" for k in range(MAX_CONFUSED + 1)]) | {"most_confused": {"test": pairs}}

    lines = printed(class_parts(found))

    assert lines[-MAX_PAIRS - 1 :][:2] == ["true (test) predicted rows of the class", "c[a]t dog 1,200 12.5 %"]


@pytest.mark.parametrize(
    "line",
    [
        "class (test) precision recall F1 [95 %] rows errors taken for",
        "no – 0.25 0 [0.1, 0.3] 1,200 62.5 % ye[s] (1,100)",
        "ye[s] (the positive class) – 0.25 0.01 1,200 – –",
    ],
)
def test_a_class_has_its_interval_its_errors_and_what_it_is_taken_for(line: str) -> None:
    found = report(["no", "ye[s]"])
    found["classes"]["test"][0] |= {
        "intervals": {"f1": {"low": 0.1, "high": 0.3}},
        "error_share": 0.625,
        "confused_with": {"label": "ye[s]", "num_rows": 1100},
    }

    assert line in printed(class_parts(found), width=120)


def test_classes_that_the_report_leaves_out_are_counted() -> None:
    lines = printed(class_parts(report([f"c{k}" for k in range(MAX_CLASSES + 5)]) | {"num_classes_left_out": 4000}))

    assert lines[-1] == (
        "The 30 of 35 classes with the lowest F1. The report lists the largest; 4,000 more have few rows."
    )


def test_a_regression_has_no_classes() -> None:
    assert class_parts({}) == []
