"""What was read becomes a table."""

import pyarrow as pa
import pytest

from regcore.data.tables.facts import TableWarning
from regcore.data.tables.limits import Limits
from regcore.data.tables.read.rows import ReadRows
from regcore.errors import InvalidDataError

_SAID = TableWarning(code="arrays_ignored", message="Also held: z.", remedy="Leave it out.")


def test_names_are_final_text_is_trimmed_and_warnings_are_kept() -> None:
    columns = [pa.chunked_array([[" a", "b "]]), pa.chunked_array([[1.5, None]]), pa.chunked_array([[0, 1]])]

    table = ReadRows([" kind", "size", "size"], columns, [_SAID], default_target="size").table("npz", Limits())

    assert table.columns.column_names == ["kind", "size", "size_2"]
    assert table.columns["kind"].to_pylist() == ["a", "b"]
    assert [column.given_name for column in table.facts.columns] == [" kind", None, "size"]
    assert [warning.code for warning in table.facts.warnings][:2] == ["columns_renamed", "arrays_ignored"]
    assert (table.facts.format, table.facts.num_rows, table.facts.default_target) == ("npz", 2, "size")


def test_a_cell_that_is_refused_names_the_final_column() -> None:
    with pytest.raises(InvalidDataError, match="Row 1, column 'column_1'"):
        ReadRows([""], [pa.chunked_array([["\0"]])]).table("jsonl", Limits())
