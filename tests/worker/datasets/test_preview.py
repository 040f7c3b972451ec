import json
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from regcore.data.images.arrays import read_array
from regcore.data.sounds.handed import table_of_sounds
from regcore.data.tables.find_types import find_facts
from regcore.data.tables.media_column import with_media
from regcore.data.tables.table import Table
from worker.datasets.preview import preview_of


def preview(**columns: Any) -> dict[str, Any]:
    cells = pa.table(columns)
    return preview_of(Table(cells, find_facts(cells, format="csv")))


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        (["1", "2,5", "NA", ""], [1, 2.5, None, None]),
        (["1.234.567", "8.900,5", "1,0"], [1234567, 8900.5, 1]),
        (["yes", "no", ""], [True, False, None]),
        (["31.12.2024", "01.02.2024", "-"], ["2024-12-31", "2024-02-01", None]),
        (["2024-12-31 23:59:58", "2024-01-01", ""], ["2024-12-31T23:59:58", "2024-01-01T00:00:00", None]),
        (["NA", "NA", "DE", ""], ["NA", "NA", "DE", None]),
        (["9007199254740993", "9007199254740995", ""], ["9007199254740993", "9007199254740995", None]),
        (["0012", "0034", "0012"], ["0012", "0034", "0012"]),
        (pa.array([2**53 + 1, 5, None]), [str(2**53 + 1), "5", None]),
        (pa.array([0.5, float("nan"), 3.0]), [0.5, None, 3]),
        (pa.array([date(2024, 2, 29), None]), ["2024-02-29", None]),
        (pa.array([datetime(2024, 2, 29, 12, tzinfo=UTC)]), ["2024-02-29T12:00:00"]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
    ],
    ids=str,
)
def test_cells_are_shown_as_they_were_read(cells: Any, shown: list[Any]) -> None:
    found = preview(column=cells)

    assert found == {"columns": ["column"], "rows": [[cell] for cell in shown]}
    assert [type(row[0]) for row in found["rows"]] == [type(cell) for cell in shown]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_only_the_first_rows_are_shown_each_in_the_columns_order() -> None:
    found = preview(b=[str(number) for number in range(50)], a=["x", "y"] * 25)

    assert found["columns"] == ["b", "a"]
    assert len(found["rows"]) == 20
    assert found["rows"][3] == [3, "y"]


def test_long_texts_are_cut() -> None:
    found = preview(text=["x" * 5_000, "y" * 5_000])

    assert found["rows"] == [["x" * 1_000], ["y" * 1_000]]


def test_a_sound_is_told_by_its_length_and_rate() -> None:
    shown = preview_of(table_of_sounds([[0.5] * 4_160, [0.5] * 8_000], ["a", "b"], 8_000))

    assert shown == {
        "columns": ["sound", "y", "audio"],
        "rows": [["1", "a", "0.52 s, 8,000 Hz"], ["2", "b", "1.00 s, 8,000 Hz"]],
    }


def test_images_are_shown_by_their_sizes() -> None:
    others = pa.table({"label": ["a", "b"]})
    images = read_array(np.full((2, 3, 4), 255, np.uint8))

    found = preview_of(with_media(others, find_facts(others, format="npz"), "image", images))

    assert found == {"columns": ["label", "image"], "rows": [["a", "3×4 pixels, grey"], ["b", "3×4 pixels, grey"]]}
