import io
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from regclient.display.sweep_numbers import Contrast, contrasts_of_ablation, contrasts_of_comparison
from regclient.display.sweep_tables import (
    BAR_WIDTH,
    contrasts_table,
    groups_table,
    interval_bar,
    leaderboard_table,
    path_table,
    sweeps_table,
)


def drawn(table: Table, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO above
    return text


def contrast(value: float | None, low: float | None, high: float | None) -> Contrast:
    return Contrast("l1", value, low, high, 0.01, 3, "helps", None)


JOB_ID = "job_" + "0" * 26
STRENGTHS = {"base": {"regularizers": [{"kind": "l1", "strength": 0.1}]}}


def leader(**fields: Any) -> dict[str, Any]:
    objective = {"mean": 0.25, "low": 0.2, "high": 0.3, "num": 3}
    return {"rank": 1, "variant": None, "values": {}, "objective": objective, "job_ids": [JOB_ID], **fields}


def test_the_list_of_sweeps_counts_members_that_ended() -> None:
    counts = {"succeeded": 5, "failed": 1, "running": 2}
    sweep = {"id": "swp_" + "0" * 26, "name": "[x]", "state": "running", "counts": counts, "num_members": 1200}

    text = drawn(sweeps_table([sweep]))

    assert "6 of 1,200" in text
    assert "[x]" in text


@pytest.mark.parametrize("width", [80, 120])
def test_the_leaderboard_says_what_each_candidate_is(width: int) -> None:
    values = {"/regularizers/0/strength": 0.0031622, "/regularizers/1": {"kind": "dropout", "p": 0.5}}
    other = leader(rank=2, variant="plain", values={"/regularizers/1": None}, objective={"mean": 1.0, "num": 1})
    sweep = {"leaderboard": [leader(values=values), other], "spec": {"objective": {"metric": "validation/accuracy"}}}

    text = drawn(leaderboard_table(sweep, width=width), width)

    for expected in (
        "validation/accuracy",
        "0.25 [0.2, 0.3]",
        "0.003162",
        "dropout p=0.5",
        "plain",
        "none",
        "strength",
    ):
        assert expected in text
    assert (JOB_ID in text) is (width > 80)
    assert "…" not in text


@pytest.mark.parametrize("width", [40, 34])
def test_a_narrow_window_loses_whole_columns_and_no_digit(path: dict[str, Any], width: int) -> None:
    sweep = {"leaderboard": [leader(values={"/regularizers/0/strength": 0.0031622})], "spec": STRENGTHS}

    for table in (leaderboard_table(sweep, width=width), path_table(path, "L1 strength")):
        text = drawn(table, width)

        assert "…" not in text
        assert "No room here for:" in text
        assert any(header in " ".join(text.split()) for header in ("first job", "zeros"))
    assert all(f"{point['value']:.3g}" in text for point in path["points"])
    assert "0.3" in text.split()  # validation/loss of the middle value, whole


def test_a_narrow_window_keeps_the_ids_of_sweeps_whole() -> None:
    sweep = {"id": "swp_" + "0" * 26, "name": "a name", "state": "running", "counts": {}, "num_members": 4}

    assert sweep["id"] in drawn(sweeps_table([sweep]), 40)


def test_an_axis_is_named_in_words_unless_variants_may_mean_different_ones() -> None:
    values = {"/regularizers/0/strength": 0.1}

    alone = drawn(leaderboard_table({"leaderboard": [leader(values=values)], "spec": STRENGTHS}))
    among = drawn(leaderboard_table({"leaderboard": [leader(values=values, variant="l2")], "spec": STRENGTHS}))

    assert "L1 strength" in alone
    assert "/regularizers/0/strength" in among


def test_the_leaderboard_has_no_column_that_nobody_fills() -> None:
    assert "variant" not in drawn(leaderboard_table({"leaderboard": [leader()], "spec": {}}))


def test_the_leaderboard_of_an_ablation_names_what_is_left_out_once() -> None:
    left_out = leader(variant="without l1", values={"/regularizers/0": None})

    text = drawn(leaderboard_table({"leaderboard": [left_out], "spec": {"strategy": {"kind": "ablation"}}}))

    assert "without l1" in text
    assert "none" not in text


def test_the_path_marks_its_values_on_80_columns(path: dict[str, Any]) -> None:
    text = drawn(path_table(path))

    lines = {line.split()[0]: line for line in text.splitlines()[2:]}
    assert lines["0.001"].endswith("best".ljust(len("1 s.e.")) + " ")
    assert "1 s.e." in lines["0.01"]
    assert "zeros" in text
    assert "…" not in text


def test_a_value_that_failed_has_a_dash(path: dict[str, Any]) -> None:
    path["points"][0]["metrics"] = {}

    assert drawn(path_table(path)).splitlines()[2].split()[:4] == ["0.0001", "–", "–", "–"]


def test_groups_show_their_means(comparison: dict[str, Any]) -> None:
    assert "0.5 [0.4, 0.6]" in drawn(groups_table(comparison))


def test_verdicts_come_with_numbers_and_each_note_once(comparison: dict[str, Any]) -> None:
    comparison["differences"] *= 2

    text = drawn(contrasts_table(contrasts_of_comparison(comparison)))

    for expected in ("dropout − l2", "-0.05 [-0.08, -0.02]", "0.002", "helps", "better below 0", "├──●─"):
        assert expected in text
    assert text.count("Three seeds are few.") == 1


def test_a_note_of_some_rows_names_them(ablation: dict[str, Any]) -> None:
    [row] = ablation["contributions"]
    ablation["contributions"].append({**row, "regularizer": "l2", "note": None, "verdict": "no_measurable_effect"})

    text = drawn(contrasts_table(contrasts_of_ablation(ablation)))

    assert "dropout: Three seeds are few." in text
    assert "no measurable" in text


@pytest.mark.parametrize(
    ("row", "bar"),
    [
        (contrast(1.0, 0.5, 1.0), "        │   ├───●"),
        (contrast(-1.0, -1.0, -0.5), "●───┤   │        "),
        (contrast(0.0, -0.5, 0.5), "    ├───●───┤    "),
        (contrast(0.5, None, None), "        │   ●    "),
        (contrast(None, None, None), "        │        "),
    ],
)
def test_a_bar_is_an_interval_around_zero(row: Contrast, bar: str) -> None:
    assert (interval_bar(row, 1.0), len(bar)) == (bar, BAR_WIDTH)


def test_a_bar_without_any_difference_is_the_zero_alone() -> None:
    assert interval_bar(contrast(0.0, 0.0, 0.0), 0.0).strip() == "│"
