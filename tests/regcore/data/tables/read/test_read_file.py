"""`read_file`: one way into every format."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from regcore.data.tables.limits import Limits
from regcore.data.tables.read import read_file
from regcore.errors import InvalidDataError

_ROWS: list[dict[str, Any]] = [
    {"age": 31, "size": 1.5, "city": "Ulm", "member": True},
    {"age": 47, "size": None, "city": "Köln", "member": False},
    {"age": 25, "size": -2.0, "city": "Ulm", "member": True},
]


def _write(path: Path) -> None:
    """The same rows, in the format of the name."""
    frame = pa.Table.from_pylist(_ROWS)
    match path.suffixes[0]:
        case ".parquet":
            pq.write_table(frame, path)
        case ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in _ROWS), "utf-8")
        case ".json":
            path.write_text(json.dumps(_ROWS, indent=2), "utf-8")
        case ".csv":
            cells = [["" if value is None else str(value).lower() for value in row.values()] for row in _ROWS]
            cells = [[age, size, row["city"], member] for (age, size, _, member), row in zip(cells, _ROWS, strict=True)]
            path.write_text("\n".join(",".join(row) for row in [list(_ROWS[0]), *cells]) + "\n", "utf-8")
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(path.read_bytes()))


@pytest.mark.parametrize(
    "name", ["rows.csv", "rows.csv.gz", "rows.parquet", "rows.jsonl", "rows.jsonl.gz", "rows.json", "rows.parquet.gz"]
)
def test_the_same_rows_are_the_same_table_in_every_format(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    _write(path)

    table = read_file(path)

    assert {column.name: column.type for column in table.facts.columns} == {
        "age": "number", "size": "number", "city": "category", "member": "boolean",
    }  # fmt: skip
    assert table.facts.num_rows == 3
    assert [column.num_missing for column in table.facts.columns] == [0, 1, 0, 0]
    assert table.columns["city"].to_pylist() == ["Ulm", "Köln", "Ulm"]


def test_x_and_y_of_an_archive_are_columns_with_a_target(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=np.arange(6.0).reshape(3, 2), y=np.array(["no", "yes", "no"]))

    facts = read_file(tmp_path / "rows.npz").facts

    assert ([column.name for column in facts.columns], facts.default_target) == (["column_1", "column_2", "y"], "y")


def test_progress_goes_up_to_one(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": np.arange(200_000)}), tmp_path / "rows.parquet")
    shares: list[float] = []

    read_file(tmp_path / "rows.parquet", on_progress=shares.append)

    assert shares == sorted(shares)
    assert len(shares) > 1
    assert shares[-1] == 1.0


def test_a_message_begins_with_the_name_that_the_owner_gave(tmp_path: Path) -> None:
    (tmp_path / "0a1b").write_text('{"a": 1}\n{"a": [1]}\n', "utf-8")

    with pytest.raises(InvalidDataError, match=r"^sales\.jsonl: Line 2: 'a' holds a list") as caught:
        read_file(tmp_path / "0a1b", name="sales.jsonl")

    assert caught.value.details == {"line": 2, "row": 2, "column": "a"}
    assert caught.value.remedy


def test_a_gzipped_file_in_a_gzipped_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(gzip.compress(b"a,b\n1,2\n")))

    with pytest.raises(InvalidDataError, match="gzipped twice"):
        read_file(tmp_path / "rows.csv.gz")


@pytest.mark.parametrize("name", ["rows.csv.gz", "rows.jsonl.gz"])
def test_nothing_unpacked_is_left_behind(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    _write(tmp_path / name)

    read_file(tmp_path / name)
    with pytest.raises(InvalidDataError):
        read_file(tmp_path / name, limits=Limits(max_rows=2))

    assert list(scratch.iterdir()) == []


def test_an_unknown_format_is_the_callers_fault(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="received 'excel'"):
        read_file(tmp_path / "rows.xls", format="excel")


def test_a_path_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match=r"rows\.csv cannot be opened: No such file"):
        read_file(tmp_path / "rows.csv")
    with pytest.raises(InvalidDataError, match="holds no files that are read as a set: nothing"):
        read_file(tmp_path)
