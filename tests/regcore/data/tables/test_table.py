"""A table as one file."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from regcore.data.tables.find_types import find_facts
from regcore.data.tables.table import Table, read_table, write_table
from regcore.errors import InvalidDataError


def table() -> Table:
    columns = pa.table(
        {"ä": ["1", "x", ""], "n": pa.array([1.5, None, float("inf")]), "d": pa.array([1, 2, 3], pa.date32())}
    )
    return Table(columns, find_facts(columns, format="parquet", given_names={"ä": " ä"}))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    given = table()

    write_table(tmp_path / "table", given)
    read = read_table(tmp_path / "table")

    assert read.columns.equals(given.columns)
    assert read.columns.schema.equals(given.columns.schema)
    assert read.facts == given.facts


def test_another_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(table().columns, tmp_path / "others.parquet")

    with pytest.raises(InvalidDataError, match="not a table that RegCore wrote"):
        read_table(tmp_path / "others.parquet")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table"
    write_table(path, table())
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(InvalidDataError, match="cannot be read"):
        read_table(path)
