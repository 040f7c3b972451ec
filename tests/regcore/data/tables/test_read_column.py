"""Cells to values: text and native cells alike."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from regcore.data.tables.facts import ColumnType, Reading
from regcore.data.tables.read_column import gaps, read_column, spelled


def reading(**how: Any) -> Reading:
    return Reading(num_missing=0, num_distinct=0, **how)


@pytest.mark.parametrize(
    ("cells", "type", "how", "values"),
    [
        (["1", " 2.5 ", "NA", "", None, "x", "inf", "1e999"], "number", {}, [1.0, 2.5, *[None] * 6]),
        (["1.234,5", "2"], "number", {"decimal": ",", "thousands": "."}, [1234.5, 2.0]),
        ([1, None, 2**60], "number", {}, [1.0, None, float(2**60)]),
        ([1.5, float("nan"), float("inf")], "number", {}, [1.5, None, None]),
        ([Decimal("1.25"), Decimal("80531.79")], "number", {}, [1.25, 80531.79]),
        ([time(1, 0, 0, 500_000), None], "number", {}, [3600.5, None]),
        ([timedelta(hours=2)], "category", {}, ["7200"]),
        ([True, None, False], "number", {}, [1.0, None, 0.0]),
        (["Yes", "no", "TRUE", "f", "1", "?", "perhaps"], "boolean", {}, [True, False, True, False, True, None, None]),
        ([True, None, False], "boolean", {}, [True, None, False]),
        ([1, 0, 2], "boolean", {}, [True, False, None]),
        ([1.0, 0.0, None], "boolean", {}, [True, False, None]),
        (["1.0", "0.0", "0.5", "NA"], "boolean", {}, [True, False, None, None]),
        (["31.12.2024", "-", "2024"], "date", {"date_format": "%d.%m.%Y"}, [datetime(2024, 12, 31), None, None]),
        ([date(2024, 1, 2)], "date", {}, [datetime(2024, 1, 2)]),
        ([20240131], "date", {"date_format": "%Y%m%d"}, [datetime(2024, 1, 31)]),
        ([" a", "a ", "NA", "", None], "category", {}, ["a", "a", "NA", None, None]),
        ([1.0, 0.5, float("nan")], "category", {}, ["1", "0.5", None]),
        ([True, False], "category", {}, ["true", "false"]),
        ([datetime(2024, 1, 2), datetime(2024, 1, 2, 3, 4, 5)], "category", {}, ["2024-01-02", "2024-01-02 03:04:05"]),
        ([2**60], "text", {}, ["1152921504606846976"]),
    ],
    ids=str,
)
def test_cells_become_values_of_the_type(
    cells: list[Any], type: ColumnType, how: dict[str, Any], values: list[Any]
) -> None:
    assert read_column(pa.array(cells), type, reading(**how)).to_pylist() == values


def test_points_in_time_of_a_zone_are_read_in_utc() -> None:
    noon = pa.array([datetime(2024, 1, 1, 12)], pa.timestamp("ms")).cast(pa.timestamp("ns", "Europe/Berlin"))

    assert read_column(noon, "date", reading()).to_pylist() == [datetime(2024, 1, 1, 12)]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_every_kind_of_text_is_read_alike(kind: pa.DataType) -> None:
    cells = pa.array(["1", " 2", None]).cast(kind)

    assert read_column(cells, "number", reading()).to_pylist() == [1.0, 2.0, None]
    assert spelled(cells).to_pylist() == ["1", "2", None]


@pytest.mark.parametrize("type", ["number", "boolean", "date", "category", "text", "ignore"])
def test_an_empty_column_keeps_its_type(type: ColumnType) -> None:
    filled, empty = (read_column(pa.chunked_array(chunks, pa.string()), type, reading()) for chunks in ([["x"]], []))

    assert empty.type == filled.type
    assert len(empty) == 0


def test_words_are_gaps_where_values_are_expected_alone() -> None:
    cells = pa.array(["NA", "", "x", None])

    assert gaps(cells, "number").to_pylist() == [True, True, False, True]
    assert gaps(cells, "category").to_pylist() == [False, True, False, True]
    assert gaps(pa.array([1.0, float("nan"), None]), "category").to_pylist() == [False, True, True]
