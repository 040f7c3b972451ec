"""Where rows stand in a file."""

from pathlib import Path

import pytest

from regcore.data.tables.read.csv_rows import CsvRows
from regcore.data.tables.read.dialect import find_dialect


def rows_of(folder: Path, text: str, *, has_header: bool = True) -> CsvRows:
    path = folder / "rows.csv"
    path.write_text(text, "utf-8", newline="")
    dialect = find_dialect(path)
    assert dialect is not None
    return CsvRows(path, dialect, has_header)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_lines_count_blank_ones_and_those_within_quotes(line_end: str, tmp_path: Path) -> None:
    text = '# by us\n\na,b\n1,2\n\n"x\ny\n",4\n5,6\n'.replace("\n", line_end)

    assert rows_of(tmp_path, text).lines_of([1, 2, 3, 9]) == [4, 6, 9, None]


def test_rows_without_a_header_begin_with_the_first(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "1,2\n3,4\n", has_header=False).lines_of([1, 2]) == [1, 2]


def test_wrong_rows_are_those_of_another_width_or_with_open_quotes(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, 'a,b\n1,2\n3\n4,5,\n6,7,8\n"9"0,1\n2,"3\n')

    wrong = rows.wrong_rows(2, most=5)

    assert [(row.row, row.line, row.cells) for row in wrong] == [
        (2, 3, ["3"]),
        (4, 5, ["6", "7", "8"]),
        (5, 6, None),
        (6, 7, None),
    ]
    assert rows.wrong_rows(2, most=1) == wrong[:1]


def test_what_python_cannot_tell_apart_is_not_named(tmp_path: Path) -> None:
    assert rows_of(tmp_path, f"a,b\n{'x' * 200_000},1\n2\n").wrong_rows(2, most=5) == []
