"""What separates and quotes the cells of a file, found in its beginning."""

from pathlib import Path

import pytest

from regcore.data.tables.read.dialect import Dialect, Quoting, find_dialect
from regcore.errors import InvalidDataError


def dialect_of(folder: Path, text: str) -> Dialect:
    path = folder / "rows.csv"
    path.write_text(text, "utf-8", newline="")
    found = find_dialect(path)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "delimiter", "num_cells"),
    [
        ("a,b\n1,2\n", ",", 2),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";", 2),
        ("1,5;2,5\n3,5;4,5\n", ";", 2),
        ("a\tb c\n1,5\t2\n", "\t", 2),
        ("a|b\n1|x,y\n2|z\n", "|", 2),
        ("name\nSmith\nDoe\n", ",", 1),
        ("a,b,c\n1,2,3\n4,5\n6,7,8\n9,10,11,12\n", ",", 3),
        ("a,b,c\n" + "1,2,3\n" * 9 + "4,5\n", ",", 3),
        ("when,v\n2024-01-01 10:00:00,a|b\n2024-01-02 11:00:00,c\n", ",", 2),
        ("a;b\n" + '1;"x, y; z\n"\n' * 20, ";", 2),
    ],
    ids=repr,
)
def test_the_separator_is_the_one_that_makes_rows_as_wide_as_the_header(
    text: str, delimiter: str, num_cells: int, tmp_path: Path
) -> None:
    found = dialect_of(tmp_path, text)

    assert (found.delimiter, found.num_cells) == (delimiter, num_cells)


@pytest.mark.parametrize(
    ("text", "quoting"),
    [
        ("a,b\n1,2\n", Quoting()),
        ('a,b\n"x, ""y""",2\n', Quoting()),
        ('a,b\n"x, \\"y\\", z",2\n', Quoting('"', "\\")),
        ("a,b\n'x, y',2\n", Quoting("'", "'")),
        ("a,b\n'tis,2\nit's,3\n", Quoting()),
        ('path,b\n"c:\\new\\",2\n"d:\\",3\n', Quoting()),
        ('a,b\n1,"x\n2,y\n', Quoting()),
    ],
    ids=repr,
)
def test_uncommon_quotes_are_taken_only_where_common_ones_fail(text: str, quoting: Quoting, tmp_path: Path) -> None:
    assert dialect_of(tmp_path, text).quoting == quoting


@pytest.mark.parametrize(
    ("text", "num_lines", "first_row"),
    [
        ("\n  \na,b\n1,2\n", 2, ("a", "b")),
        ("# one\n# two, three\na,b\n1,2\n", 2, ("a", "b")),
        ("#id,b\n1,2\n", 0, ("#id", "b")),
        ("#ff,1\n#00,2\n", 0, ("#ff", "1")),
        ('"sep=;"\r\na;b\r\n1;2\r\n', 1, ("a", "b")),
    ],
    ids=repr,
)
def test_lines_before_the_first_row_are_no_rows(
    text: str, num_lines: int, first_row: tuple[str, ...], tmp_path: Path
) -> None:
    found = dialect_of(tmp_path, text)

    assert (found.num_lines_before, found.first_row) == (num_lines, first_row)


def test_a_long_beginning_is_cut_at_a_row(tmp_path: Path) -> None:
    found = dialect_of(tmp_path, "a,b\n" + f'"{"x" * 1_000}\n{"y" * 1_000}",2\n' * 500)

    assert (found.delimiter, found.num_cells, found.has_empty_end) == (",", 2, False)


def test_a_file_without_rows_has_no_dialect(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\n \n")

    assert find_dialect(path) is None


def test_a_first_row_that_does_not_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('\n"a,b\n1,2\n')

    with pytest.raises(InvalidDataError, match="first row, on line 2"):
        find_dialect(path)
