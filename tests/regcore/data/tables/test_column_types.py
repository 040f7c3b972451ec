"""The type of a column, and why."""

from datetime import date, time, timedelta
from typing import Any

import pyarrow as pa
import pytest

from regcore.data.tables.attempts import Distinct
from regcore.data.tables.column_types import ColumnDraft, draft_column
from regcore.data.tables.facts import ColumnType
from regcore.data.tables.numbers import POINT_AND_COMMAS


def draft_of(cells: list[Any], type: pa.DataType | None = None) -> ColumnDraft:
    return draft_column(Distinct.of(pa.chunked_array([pa.array(cells, type)])))


@pytest.mark.parametrize(
    ("cells", "type"),
    [
        (["1", "2.5", "-3e2", "+4"], "number"),
        (["1", "NA", "n/a", "null", "None", "?", "-", ""], "number"),
        (["0", "0"], "number"),
        (["0", "1", "2"], "number"),
        (["1", "inf"], "number"),
        (["20240131", "20240201"], "number"),
        (["01234", "94110"], "category"),
        (["9007199254740993", ""], "category"),
        (["5E390", "1"], "category"),
        (["1_000", "0x1F"], "category"),
        (["1.5", "2,5"], "category"),
        (["Yes", "no", "?"], "boolean"),
        (["0", "1", ""], "boolean"),
        (["TRUE", "false"], "boolean"),
        (["yes", ""], "boolean"),
        (["F", "F"], "category"),
        (["y", "no"], "category"),
        (["2024-01-31", "2023-12-01 10:11", ""], "date"),
        (["31.12.2024", "01.02.2024"], "date"),
        (["12/31/2024", "01/02/2024"], "date"),
        (["31/12/2024", "12/31/2024"], "category"),
        (["01/02/2024", "03/04/2024"], "text"),
        (["DE", "NA", "FR", ""], "category"),
        ([f"id-{number}" for number in range(10)], "text"),
        ([f"id-{number}" for number in range(9)], "category"),
        (["a", "b", "c", "d"] * 5, "category"),
        (["", "NA"], "ignore"),
        ([1, 2, None], "number"),
        ([2**60, 1], "category"),
        ([1.5, float("nan"), float("inf")], "number"),
        ([True, None], "boolean"),
        ([date(2024, 1, 1)], "date"),
        ([time(10, 30), None], "number"),
        ([timedelta(days=1)], "number"),
        ([None, None], "ignore"),
    ],
    ids=str,
)
def test_a_column_is_what_all_its_cells_are(cells: list[Any], type: ColumnType) -> None:
    assert draft_of(cells).found.type == type


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["1", "NA"], "Gaps are written 'NA'"),
        (["DE", "NA"], "Cells 'NA' are no gaps"),
        (["01234", "5"], "'01234' would lose its spelling"),
        (["1,234,567", "5"], "'1,234,567' is read as 1,234,567"),
        (["1", "2"], ""),
        (["a", "b"], ""),
    ],
)
def test_a_reading_that_may_surprise_is_said(cells: list[str], said: str) -> None:
    why = draft_of(cells).found.why

    assert said in why
    assert bool(said) == bool(why)


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        (["01/02/2024", "03/04/2024"], "ambiguous_dates"),
        (["1", "inf"], "infinite_cells"),
        ([f"id-{number}" for number in range(20)], "identifier_column"),
        ([f"text {number // 2}" for number in range(19)], "text_column"),
        ([f"$1,{number}" for number in range(100, 120)], "numbers_with_units"),
        ([f"{number}.5 %" for number in range(20)], "numbers_with_units"),
    ],
)
def test_what_an_owner_should_decide_is_a_doubt(cells: list[str], code: str) -> None:
    doubt = draft_of(cells).found.doubt

    assert doubt is not None
    assert doubt.code == code


@pytest.mark.parametrize(
    ("cells", "types"),
    [
        (["0", "1"], {"category", "number", "boolean"}),
        (["1", "2", "x"], {"category", "number"}),
        (["20240131"], {"category", "number", "date"}),
        ([f"id-{number}" for number in range(20)], {"category", "text"}),
        (["01/02/2024", "03/04/2024"], {"category", "text", "date"}),
    ],
)
def test_every_type_that_half_of_the_cells_allow_is_offered(cells: list[str], types: set[str]) -> None:
    assert set(draft_of(cells).attempts) == types


def test_a_convention_that_is_known_decides() -> None:
    distinct = Distinct.of(pa.chunked_array([["1,234", "5"]]))

    assert draft_column(distinct).attempts["number"].reading.maximum == 5
    assert draft_column(distinct, POINT_AND_COMMAS).attempts["number"].reading.maximum == 1234
