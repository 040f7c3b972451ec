"""CSV files as people's programs write them: each kind of dialect once, and each kind of wrong file."""

import csv
import io
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regcore.data.tables.limits import Limits
from regcore.data.tables.read import csv as reader
from regcore.data.tables.read.csv import read_csv
from regcore.data.tables.table import Table
from regcore.errors import InvalidDataError

DEFAULT_LIMITS = Limits()


def read(
    folder: Path,
    content: str | bytes,
    header: Literal["auto", "yes", "no"] = "auto",
    limits: Limits = DEFAULT_LIMITS,
) -> Table:
    path = folder / "rows[1]*.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_csv(path, header=header, limits=limits, on_progress=lambda share: None)


DIALECTS: dict[str, tuple[str | bytes, dict[str, list[str]]]] = {
    "comma": ("a,b\n1,x\n2,y\n", {"a": ["1", "2"], "b": ["x", "y"]}),
    "semicolon and decimal comma": (
        "a;b;c\n1,5;x;y\n2,5;z;w\n",
        {"a": ["1,5", "2,5"], "b": ["x", "z"], "c": ["y", "w"]},
    ),
    "tab": ("a\tb\n1\t2 3\n4\t5\n", {"a": ["1", "4"], "b": ["2 3", "5"]}),
    "pipe": ("a|b\n1|2\n3|4\n", {"a": ["1", "3"], "b": ["2", "4"]}),
    "quotes with separators and line ends": (
        'a,b\n"x,1","y\nz"\n"u ""q""",v\n',
        {"a": ["x,1", 'u "q"'], "b": ["y\nz", "v"]},
    ),
    "quotes escaped by a backslash": ('a,b\n"x \\"q\\", r",1\nb,2\n', {"a": ['x "q", r', "b"], "b": ["1", "2"]}),
    "single quotes": ("a,b\n'x,1',2\n'y',3\n", {"a": ["x,1", "y"], "b": ["2", "3"]}),
    "space before a quote": ('a, b\n1, "x, y"\n2, "z"\n', {"a": ["1", "2"], "b": ["x, y", "z"]}),
    "a quote within a cell": ('a,b\n5" disk,1\n3,2\n', {"a": ['5" disk', "3"], "b": ["1", "2"]}),
    "CRLF": ("a,b\r\n1,2\r\n3,4\r\n", {"a": ["1", "3"], "b": ["2", "4"]}),
    "CRLF with LF in quotes": ('a,b\r\n"x\ny",1\r\nz,2\r\n', {"a": ["x\ny", "z"], "b": ["1", "2"]}),
    "CR": ("a,b\r1,2\r3,4\r", {"a": ["1", "3"], "b": ["2", "4"]}),
    "line ends of two kinds": ('a,b\r\n1,2\n3,"4"\r\n', {"a": ["1", "3"], "b": ["2", "4"]}),
    "no line end at the end": ('a,b\n1,"x"', {"a": ["1"], "b": ["x"]}),
    "blank lines": ("\n\na,b\n\n1,2\n\n3,4\n\n", {"a": ["1", "3"], "b": ["2", "4"]}),
    "comments before the header": ("# made by\n# us, today\na,b\n1,2\n", {"a": ["1"], "b": ["2"]}),
    "a header that begins with #": ("#id\tb\n1\t2\n", {"#id": ["1"], "b": ["2"]}),
    "separator named for Excel": ("sep=;\na,1;b\n1;2\n", {"a,1": ["1"], "b": ["2"]}),
    "trailing separators": ("a,b,\n1,2,\n3,4,\n", {"a": ["1", "3"], "b": ["2", "4"]}),
    "trailing separators but in the header": ("a,b\n1,2,\n3,4,\n", {"a": ["1", "3"], "b": ["2", "4"]}),
    "trailing separator in the header alone": ("a,b,\n1,2\n3,4\n", {"a": ["1", "3"], "b": ["2", "4"]}),
    "spaces around cells": ("a, b \n 1 , x\n\t2,y \n", {"a": ["1", "2"], "b": ["x", "y"]}),
    "one column": ("a\nx\n\ny\n", {"a": ["x", "", "y"]}),
    "empty cells": ('a,b\n,""\n"",\n', {"a": ["", ""], "b": ["", ""]}),
    "UTF-8 with a mark": ('"ä,ö",b\n1,ß\n'.encode("utf-8-sig"), {"ä,ö": ["1"], "b": ["ß"]}),
    "UTF-16 with a mark": ("ä;b\n1,5;ß\n".encode("utf-16"), {"ä": ["1,5"], "b": ["ß"]}),
    "UTF-16 without a mark": ("name,b\none,ß\n".encode("utf-16-le"), {"name": ["one"], "b": ["ß"]}),
    "Latin-1": ("a;b\n1;Größe\n".encode("latin-1"), {"a": ["1"], "b": ["Größe"]}),
    "Windows": ("a;b\n1;5 €\n".encode("cp1252"), {"a": ["1"], "b": ["5 €"]}),
    "names to mend": (
        "größe, n ,größe,,a\u0301\n1,2,3,4,5\n",
        {"größe": ["1"], "n": ["2"], "größe_2": ["3"], "column_4": ["4"], "\u00e1": ["5"]},
    ),
}


@pytest.mark.parametrize(("content", "columns"), DIALECTS.values(), ids=DIALECTS)
def test_cells_are_read_as_they_are_meant(content: str | bytes, columns: dict[str, list[str]], tmp_path: Path) -> None:
    assert read(tmp_path, content).columns.to_pydict() == columns


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("ä;b\n1;2\n".encode("latin-1"), "encoding_guessed"),
        ("a,b,\n1,2,\n", "trailing_separator"),
        ("a,b\n1,2,\n", "trailing_separator"),
        ("a,a\n1,2\n", "columns_renamed"),
        ("a\n1\n", "one_column"),
        ("# by us\na,b\n1,2\n", "comments_skipped"),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", "doubtful_header"),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else None,
)
def test_what_was_changed_or_guessed_is_said(content: str | bytes, code: str, tmp_path: Path) -> None:
    assert [warning.code for warning in read(tmp_path, content).facts.warnings] == [code]


def test_a_clean_file_has_no_warnings(tmp_path: Path) -> None:
    facts = read(tmp_path, "a;b\n1,5;x\n2,5;y\n").facts

    assert facts.warnings == []
    assert (facts.format, facts.encoding, facts.delimiter, facts.num_rows) == ("csv", "utf-8", ";", 2)


@pytest.mark.parametrize(
    ("content", "message", "details"),
    [
        ("", "It is empty", {}),
        ("\n\n", "It is empty", {}),
        ("a,b\n", "no rows", {}),
        ("1,2\n3,4\n", "no header", {"line": 1}),
        (
            "a,b,c\n1,2,3\n4,5\n6,7,8,9\n",
            "Row 2 (line 3) has 2 cells, row 3 (line 4) has 4 cells; the header has 3",
            {"row": 2},
        ),
        ("a,b,c\n" + "1,2,3\n" * 50 + "4,5\n" + "1,2,3\n" * 50, "Row 51 (line 52) has 2 cells", {"found": 2}),
        ('a,b\n"x\ny\nz",1\n\n4,5,6\n', "Row 2 (line 6) has 3 cells", {"line": 6, "expected": 2}),
        ("a,b\n1,2,3\n4,5,6\n", "the header has 2", {"row": 1}),
        ('a,b\n1,"x\n2,y\n3,z\n', "Row 1 (line 2) has quotes that do not end", {"line": 2}),
        ("a,b\n1,x\ry\n2,z\n", "Row 2 (line 3) has 1 cell", {"row": 2}),
        (b"a,b\n1,\0\n", "zero byte in line 2", {"line": 2}),
        pytest.param(b"\x01\x02\x03\x04\x05\x06" * 100, "not text", {}, id="control characters"),
        ("ä,b\n1,2\n".encode() + "é,2\n".encode("latin-1"), "UTF-8 up to line 3", {"line": 3}),
        ("a,b\n1,2\n".encode("utf-16") + b"\x00\xd8", "not from line", {}),
        ("a,b\n" + "x" * 101 + ",1\n", "Row 1, column 'a': the cell has 101 bytes", {"row": 1, "column": "a"}),
        ("a,b\n" + "x" * 1001 + ",1\n", "cannot be read as CSV", {}),
        ("a,b,c,d,e\n1,2,3,4,5\n", "5 columns", {"max_columns": 4}),
        ("a\n" + "1\n" * 201, "201 rows", {"max_rows": 200}),
    ],
    ids=str,
)
def test_a_wrong_file_is_refused_by_row_and_line(
    content: str | bytes, message: str, details: dict[str, Any], tmp_path: Path
) -> None:
    limits = Limits(max_cell_bytes=100, max_row_bytes=1000, max_columns=4, max_rows=200)

    with pytest.raises(InvalidDataError) as refused:
        read(tmp_path, content, limits=limits)

    assert message in refused.value.message
    assert refused.value.remedy
    assert details.items() <= refused.value.details.items()


@pytest.mark.parametrize(
    ("header", "names"), [("yes", ["2019", "2020"]), ("no", ["column_1", "column_2"])], ids=["yes", "no"]
)
def test_a_first_row_of_numbers_is_what_its_owner_says(
    header: Literal["yes", "no"], names: list[str], tmp_path: Path
) -> None:
    columns = read(tmp_path, "2019,2020\n1,2\n", header).columns

    assert columns.column_names == names
    assert columns.num_rows == 1 + (header == "no")


def test_a_wrong_cell_is_named_by_its_line_after_quoted_line_ends(tmp_path: Path) -> None:
    rows = "".join(f'{number},"x\ny"\n' for number in range(40))

    column = read(tmp_path, f"a,b\n\n{rows}oops,z\n").facts.columns[0]

    (cell,) = column.readings["number"].unreadable
    assert (cell.row, cell.line, cell.text) == (41, 83, "oops")


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    read(tmp_path, "ä,b\n1,2\n".encode("latin-1"))
    with pytest.raises(InvalidDataError):
        read(tmp_path, "a,b\n1\n")

    assert list((tmp_path / "temporary").iterdir()) == []


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12) | st.sampled_from(
    ["", " ", '"', '""', ",", ";", "\n", "\r\n", "\r", "a\nb", "'", "\\", '\\"', "NA", "1,5", "#x"]
)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(2, 4).flatmap(
        lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=8)
    ),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
def test_what_pythons_writer_wrote_is_read_cell_by_cell(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[str]],
    delimiter: str,
    line_end: str,
    quoting: Literal[1, 2],
) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerows([[f"name {place}" for place in range(len(rows[0]))], *rows])

    columns = read(tmp_path_factory.mktemp("rows"), written.getvalue()).columns

    assert [list(row.values()) for row in columns.to_pylist()] == [[cell.strip() for cell in row] for row in rows]


@pytest.mark.parametrize("shift", [*range(-3, 4)])
def test_quoted_line_ends_survive_the_edges_of_blocks(shift: int, tmp_path: Path) -> None:
    block_bytes = 1 << 16
    filler = "x" * (block_bytes // 4 - 8)
    rows = [(f"{number}", f'{filler}{"y" * (shift + 3)}\n"z') for number in range(40)]
    quoted = "".join(f'{number},"{text.replace(chr(34), chr(34) * 2)}"\n' for number, text in rows)

    columns = read(tmp_path, f"a,b\n{quoted}", limits=Limits(max_row_bytes=block_bytes)).columns

    assert list(zip(*columns.to_pydict().values(), strict=True)) == rows


@pytest.mark.parametrize("num_together", [1, 2, 5])
def test_columns_that_are_read_in_parts_stand_side_by_side(
    num_together: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_COLUMNS_TOGETHER", num_together)
    rows = "".join(f'{k},"{k}\n{k}",x{k},,{-k}\n' for k in range(5_000))

    columns = read(tmp_path, f"a,b,c,d,e\n{rows}").columns.to_pydict()

    cells = [(f"{k}", f"{k}\n{k}", f"x{k}", "", f"{-k}") for k in range(5_000)]
    assert list(zip(*columns.values(), strict=True)) == cells
    with pytest.raises(InvalidDataError, match=r"[Rr]ow 2 \(line 3\) has 4 cells"):
        read(tmp_path, "a,b,c,d,e\n1,2,3,4,5\n1,2,3,4\n")


def test_memory_does_not_grow_with_the_number_of_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(max_duckdb_bytes=14_000_000, max_row_bytes=10_000)
    names = [f"c{place}" for place in range(300)]
    content = "\n".join(",".join(cells) for cells in (names, *([["1"] * len(names)] * 20)))

    monkeypatch.setattr(reader, "_COLUMNS_TOGETHER", len(names))
    with pytest.raises(MemoryError):
        read(tmp_path, content, limits=limits)
    monkeypatch.setattr(reader, "_COLUMNS_TOGETHER", len(names) // 10)
    columns = read(tmp_path, content, limits=limits).columns

    assert (columns.column_names, columns.num_rows) == (names, 20)


def test_progress_goes_up_to_the_end(tmp_path: Path) -> None:
    path, shares = tmp_path / "rows.csv", list[float]()
    path.write_text("a,b\n" + "1,some text\n" * 200_000)

    read_csv(path, header="auto", limits=DEFAULT_LIMITS, on_progress=shares.append)

    assert shares == sorted(shares)
    assert len(shares) > 1
    assert 0.5 < shares[-1] <= 1
