"""A column's distinct cells, and what they give as one type."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from regcore.data.tables.attempts import AS_IT_IS, Distinct, attempt
from regcore.data.tables.facts import ColumnType


def distinct_of(cells: list[Any], type: pa.DataType | None = None) -> Distinct:
    return Distinct.of(pa.chunked_array([pa.array(cells, type)]))


def test_distinct_cells_keep_the_order_of_the_file_and_are_trimmed() -> None:
    distinct = distinct_of(["b", " a", "a", None, "", "b "])

    assert distinct.cells.to_pylist() == ["b", "a", ""]
    assert distinct.counts.tolist() == [2, 2, 1]
    assert (distinct.num_null, distinct.num_cells) == (1, 6)


@pytest.mark.parametrize(
    ("cells", "type", "found"),
    [
        (["1", "1.0", "2.5", "NA", None, "x", "x"], "number", (2, 2, 2, 1.0, 2.5)),
        (["a", "a", "NA", ""], "category", (1, 2, 0, None, None)),
        (["yes", "NO", "?"], "boolean", (1, 2, 0, None, None)),
        (["1970-01-02", "1970-01-01 00:00:01", "-"], "date", (1, 2, 0, 1.0, 86_400.0)),
        ([1, 2, 2, None], "number", (1, 2, 0, 1.0, 2.0)),
        ([0.5, float("nan"), float("inf")], "number", (1, 1, 1, 0.5, 0.5)),
        ([date(1970, 1, 2)], "date", (0, 1, 0, 86_400.0, 86_400.0)),
        ([""], "number", (1, 0, 0, None, None)),
    ],
    ids=str,
)
def test_gaps_values_and_unreadable_cells_are_counted(
    cells: list[Any], type: ColumnType, found: tuple[Any, ...]
) -> None:
    made = attempt(distinct_of(cells), type, AS_IT_IS)

    reading = made.reading
    assert (
        reading.num_missing, reading.num_distinct, reading.num_unreadable, reading.minimum, reading.maximum
    ) == found  # fmt: skip
    assert made.num_values + reading.num_missing + reading.num_unreadable == len(cells)


@pytest.mark.parametrize(
    ("cells", "reads_all", "reads_half"),
    [(["1", "2"], True, True), (["1", "x"], False, True), (["1", "x", "y"], False, False), (["NA"], True, False)],
    ids=str,
)
def test_a_type_holds_if_half_of_the_cells_are_read(cells: list[str], reads_all: bool, reads_half: bool) -> None:
    made = attempt(distinct_of(cells), "number", AS_IT_IS)

    assert (made.reads_all, made.reads_half) == (reads_all, reads_half)


def test_times_and_whole_numbers_are_told() -> None:
    assert attempt(distinct_of(["1", "2.0"]), "number", AS_IT_IS).reading.is_whole
    assert not attempt(distinct_of(["1", "2.5"]), "number", AS_IT_IS).reading.is_whole
    assert attempt(distinct_of(["2024-01-01", "2024-01-01 10:00"]), "date", AS_IT_IS).reading.has_time
    assert not attempt(distinct_of(["2024-01-01"]), "date", AS_IT_IS).reading.has_time
