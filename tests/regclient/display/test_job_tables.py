import io
from typing import Any

import pytest
from rich.console import Console, RenderableType

from regclient.display.job_tables import job_table, jobs_table, time_text, workers_table

JOB: dict[str, Any] = {
    "id": "job_" + "0" * 26,
    "name": "a [name]",
    "labels": {"team": "vision"},
    "state": "queued",
    "created_at": "2026-11-23T07:41:09.123Z",
}


def printed(table: RenderableType, width: int = 120) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above
    return text


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_of_jobs_folds_names_and_cuts_nothing(width: int) -> None:
    job: dict[str, Any] = {
        "id": "job_" + "0" * 26,
        "name": "a name that is far too long for one line [of this table]",
        "state": "cancelling",
        "progress": {"fraction": 0.255},
        "created_at": "2026-11-23T07:41:09.123Z",
        "result": {"metrics": {"test/loss": 0.123456, "test/accuracy": 0.98765}},
    }
    text = printed(jobs_table([job]), width)

    for expected in (job["id"], "cancelling 26 %", "0.1235", "0.9877"):
        assert expected in text
    assert ("2026-11-23 07:41:09" in text) is (width > 80)
    assert "table]" in text
    assert "…" not in text


@pytest.mark.parametrize("width", [32, 40, 60, 80])
def test_ids_and_hashes_are_kept_whole_in_a_narrow_window(width: int) -> None:
    job = JOB | {"result": {"weights_sha256": "a" * 64}, "sweep": {"id": "swp_" + "1" * 26}}

    table, details = printed(jobs_table([job]), width), printed(job_table(job), width)

    assert JOB["id"] in table
    assert JOB["id"] in details
    assert job["sweep"]["id"] in details
    assert ("a" * 64 in details) is (width >= 66)
    assert max(map(len, (table + details).splitlines())) <= width


def test_the_table_of_jobs_says_that_its_times_are_utc() -> None:
    assert "created (UTC)" in printed(jobs_table([JOB]))


@pytest.mark.parametrize(("at", "text"), [("2026-11-23T07:41:09.123Z", "2026-11-23 07:41:09 UTC"), (None, "–")])
def test_a_time_says_that_it_is_utc(at: str | None, text: str) -> None:
    assert time_text(at) == text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, ["a [name]", "team:vision", "created   2026-11-23 07:41:09 UTC"]),
        ({"parent_job_id": "job_1"}, ["parent    job_1"]),
        ({"priority": "low"}, ["priority  low"]),
        (
            {"sweep": {"id": "swp_1", "variant": "l2", "values": {"/optimizer": {"kind": "adam"}}, "seed": 3}},
            ["sweep     swp_1", "member    l2, /optimizer = adam, seed 3"],
        ),
        (
            {"state_reason": {"code": "diverged", "message": "The loss is not finite.", "remedy": "Lower it."}},
            ["reason    diverged: The loss is not finite. Lower it."],
        ),
        ({"warnings": [{"pointer": "/model", "message": "[large]"}]}, ["warning   /model [large]"]),
    ],
)
def test_a_job_in_full_says_what_it_belongs_to_and_why_it_is_where_it_is(
    fields: dict[str, Any], said: list[str]
) -> None:
    text = printed(job_table(JOB | fields))

    assert all(expected in text for expected in said)


def test_a_job_in_full_lists_what_is_special_about_its_spec_under_one_title() -> None:
    lines = printed(job_table(JOB, {"/training/epochs": "5 → 7", "/name": "[x]"}, settings_title="changed")).split("\n")

    assert [" ".join(line.split()) for line in lines if "/" in line] == ["changed /training/epochs 5 → 7", "/name [x]"]


def test_workers_show_each_slot_with_its_jobs() -> None:
    slots = [{"device": "cuda:0", "job_ids": ["job_1"]}, {"device": "cuda:1", "job_ids": []}]
    worker = {"id": "wrk_1", "node": "n", "pool": None, "state": "ready", "slots": slots}

    lines = [line.split() for line in printed(workers_table([worker])).splitlines()[1:]]

    assert [line[:4] for line in lines] == [["wrk_1", "n", "–", "ready"]] * 2
    assert [line[4:6] for line in lines] == [["cuda:0", "job_1"], ["cuda:1", "–"]]
