import io
from typing import Any

import pytest
from rich.console import Console

from regclient.display.row_tables import MAX_GROUPS, MAX_WORST, row_parts


def printed(report: dict[str, Any]) -> list[str]:
    console = Console(width=120, file=io.StringIO())
    for part in row_parts(report):
        console.print(part)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above
    return [" ".join(line.split()) for line in text.splitlines()]


def cell(value: float | None, *, has_interval: bool = True) -> dict[str, Any]:
    return {"value": value, "low": 0.25 if has_interval else None, "high": 0.75 if has_interval else None}


def grouped(*names: str, num_left_out: int = 0) -> dict[str, Any]:
    told = [
        {"group": name, "num_rows": 1200 - k, "metrics": {"loss": cell(k / 100), "accuracy": cell(0.5)}}
        for k, name in enumerate(names)
    ]
    test = {"num_groups": len(names) + num_left_out, "num_left_out": num_left_out, "groups": told}
    return {"groups": {"column": "si[t]e", "splits": {"validation": {"groups": []}, "test": test}}}


@pytest.mark.parametrize(
    "line",
    ["si[t]e (test) rows loss accuracy", "no[r]th 1,200 0 [0.25, 0.75] 0.5 [0.25, 0.75]"],
)
def test_each_group_of_the_last_split_has_its_metrics(line: str) -> None:
    assert line in printed(grouped("no[r]th", "south"))


def test_a_gap_is_a_group_and_one_of_few_rows_has_no_interval() -> None:
    found = grouped("")
    found["groups"]["splits"]["test"]["groups"][0]["metrics"]["loss"] = cell(0.5, has_interval=False)

    assert printed(found)[1] == "(empty) 1,200 0.5 0.5 [0.25, 0.75]"


def test_of_many_groups_the_worst_are_shown_and_the_others_counted() -> None:
    lines = printed(grouped(*(f"g{k}" for k in range(MAX_GROUPS + 9)), num_left_out=7))

    assert [line.split()[0] for line in lines[1:3]] == [f"g{MAX_GROUPS + 8}", f"g{MAX_GROUPS + 7}"]
    assert " ".join(lines[MAX_GROUPS + 1 :]) == (
        "The 30 of 39 groups with the largest loss. The report lists the largest groups; 7 more have fewer rows."
    )


def test_errors_of_rows_are_told_by_split() -> None:
    quantiles = {"min": 0.0, "p50": 0.1, "p95": 0.2, "p99": 0.25, "max": 12345.0}
    splits = {"train": {"quantiles": quantiles}, "test": {"quantiles": None}}

    assert printed({"reconstruction_errors": {"splits": splits}}) == [
        "error of a row half below 95 % below 99 % below largest",
        "train 0.1 0.2 0.25 12,345",
    ]


@pytest.mark.parametrize(("numbered_in", "title"), [("data", "worst row"), ("split", "worst row of the split")])
def test_the_worst_rows_are_told_with_what_was_predicted(numbered_in: str, title: str) -> None:
    rows = [{"row": 4775 + k, "value": 4.25, "target": "ni[n]e", "prediction": 12.5} for k in range(9)]

    lines = printed({"worst_rows": {"metric": "loss", "splits": {"test": {"numbered_in": numbered_in, "rows": rows}}}})

    assert lines[:2] == [f"{title} (test) loss target prediction", "4775 4.25 ni[n]e 12.5"]
    assert len(lines) == MAX_WORST + 1


def test_rows_that_are_files_are_told_by_their_path() -> None:
    rows = [{"row": 3, "file": "cats/[1].png", "value": 0.5, "target": "cat", "prediction": "dog"}]

    lines = printed({"worst_rows": {"metric": "loss", "splits": {"test": {"numbered_in": "data", "rows": rows}}}})

    assert lines == ["worst row (test) loss file target prediction", "3 0.5 cats/[1].png cat dog"]


def test_rows_without_a_target_are_told_alone() -> None:
    rows = [{"row": 3, "value": 0.5}]
    splits = {"train": {"numbered_in": "data", "rows": rows}, "test": {"numbered_in": "data", "rows": []}}

    lines = printed({"worst_rows": {"metric": "reconstruction_error", "splits": splits}})

    assert lines == ["worst row (train) reconstruction_error", "3 0.5"]


def test_an_older_report_has_none_of_it() -> None:
    assert row_parts({"metrics": {}}) == row_parts({"groups": None}) == []
