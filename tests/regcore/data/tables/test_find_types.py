"""Types of whole columns, and what a plan is told about them."""

import pyarrow as pa
import pytest

from regcore.data.tables.facts import ColumnFacts, ColumnType, TableFacts
from regcore.data.tables.find_types import find_facts


def facts_of(*, delimiter: str | None = None, **columns: list[str]) -> TableFacts:
    return find_facts(
        pa.table(columns), format="csv", delimiter=delimiter, find_lines=lambda rows: [r + 1 for r in rows]
    )


def column_of(cells: list[str]) -> ColumnFacts:
    return facts_of(x=cells).columns[0]


@pytest.mark.parametrize(
    ("cells", "type"),
    [
        (["1", "2.5", "-3e2", "+4"], "number"),
        (["1", "NA", "n/a", "null", "None", "?", "-", ""], "number"),
        (["0", "1"], "number"),
        (["1 234", "5"], "number"),
        (["1'234.5", "5"], "number"),
        (["1\u00a0234,5", "5"], "number"),
        (["01234", "94110"], "category"),
        (["9007199254740993", "1"], "category"),
        (["5E390", "1"], "category"),
        (["1_000", "0x1F"], "category"),
        (["Yes", "no", "?"], "boolean"),
        (["TRUE", "false"], "boolean"),
        (["F", "F"], "category"),
        (["2024-01-31", "2023-12-01 10:11", ""], "date"),
        (["31.12.2024", "01.02.2024"], "date"),
        (["12/31/2024", "01/02/2024"], "date"),
        (["31 Dec 2024", "1 Jan 2024"], "date"),
        (["DE", "NA", "FR", ""], "category"),
        ([f"id-{number}" for number in range(20)], "text"),
        (["", "NA"], "ignore"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_type_is_what_all_cells_are(cells: list[str], type: ColumnType) -> None:
    assert column_of(cells).type == type


def test_one_contradicting_cell_at_the_end_is_named() -> None:
    facts = facts_of(x=[*map(str, range(1_000)), "oops"])

    assert facts.columns[0].type == "text"
    (cell,) = facts.columns[0].readings["number"].unreadable
    assert (cell.row, cell.line, cell.text) == (1_001, 1_002, "oops")
    assert "mixed_column" in [warning.code for warning in facts.warnings]
