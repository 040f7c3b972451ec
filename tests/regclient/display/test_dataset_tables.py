from typing import Any

import pytest
from rich.cells import cell_len

from regclient.display.dataset_tables import columns_table, dataset_table, datasets_table, preview_table, size_text
from regclient.display.terminal import Console

DATASET: dict[str, Any] = {
    "id": "ds_" + "0" * 26,
    "name": "penguins [bold].csv",
    "state": "invalid",
    "state_reason": {
        "code": "ragged_row",
        "message": "Row 6 has 4 cells, not 3.",
        "remedy": "Quote it.",
        "details": {"line": 7, "row": 6, "column": "island"},
    },
    "num_rows": 1_234_567,
    "size_bytes": 5_300_000_000,
    "sha256": "0" * 64,
    "delimiter": "\t",
    "created_at": "2026-11-23T07:41:09.123Z",
    "warnings": [{"code": "w", "message": "Read as Latin-1.", "remedy": "Save it as UTF-8."}],
}
COLUMNS: list[dict[str, Any]] = [
    {"name": "age", "type": "number", "num_missing": 0, "num_distinct": 1_030, "examples": ["41", "7"]},
    {
        "name": "city [x]",
        "given_name": " city [x]",
        "type": "category",
        "num_missing": 12,
        "num_distinct": 3,
        "examples": ["Oslo\nNorth", "y" * 60],
    },
]


def printed(what: Any, width: int = 120) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def test_a_list_has_rows_and_sizes_and_keeps_ids_whole_in_a_narrow_window() -> None:
    wide, narrow = printed(datasets_table([DATASET])), printed(datasets_table([DATASET]), 60)

    assert all(word in wide for word in ("1,234,567", "5.3 GB", "penguins [bold].csv", "2026-11-23 07:41:09"))
    assert DATASET["id"] in narrow
    assert max(map(cell_len, narrow.splitlines())) <= 60


def test_a_table_says_why_it_is_invalid_with_line_and_column() -> None:
    text = " ".join(printed(dataset_table(DATASET)).split())

    assert "ragged_row: Row 6 has 4 cells, not 3. Quote it. (line 7, column 'island')" in text
    assert "delimiter '\\t'" in text
    assert "warning Read as Latin-1. Save it as UTF-8." in text


def test_columns_show_types_gaps_examples_and_that_one_was_renamed() -> None:
    age, city, *_ = printed(columns_table(COLUMNS)).splitlines()[1:]

    assert age.split() == ["age", "number", "1,030", "41", "|", "7"]
    assert all(part in city for part in ("city [x]", "category", "12", "Oslo North"))
    assert "named ' city [x]'" in " ".join(printed(columns_table(COLUMNS), 200).split())


def test_examples_are_shown_as_far_as_there_is_room() -> None:
    column = {**COLUMNS[0], "examples": ["0.1257302210933933", "-0.7037354068369926", "1.54", "2.5"]}

    (row,) = printed(columns_table([column]), 80).splitlines()[1:]

    assert row.rstrip().endswith("1,030  0.1257302210933933 | -0.7037354068369926")


def test_a_preview_cuts_long_cells_and_leaves_out_columns_that_have_no_room() -> None:
    preview = {
        "columns": [f"column {number}" for number in range(50)],
        "rows": [[None, True, "x" * 100, 0.5, 7, *(["y"] * 45)]],
    }

    text = printed(preview_table(preview), 100)

    row = text.splitlines()[1].split()
    assert row[:5] == ["–", "true", "x" * 39 + "…", "0.5", "7"]
    assert "and 10 more columns" in " ".join(text.split())
    assert "No room here for" in text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (1_234_567, "1.23 MB"), (2 * 10**15, "2e+03 TB"), (None, "–")],
)
def test_sizes_are_in_units_of_a_thousand(size_bytes: int | None, text: str) -> None:
    assert size_text(size_bytes) == text
