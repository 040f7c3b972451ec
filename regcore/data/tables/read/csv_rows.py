"""Where the rows of a CSV file stand, and which of them are wrong.

DuckDB reads the table, but numbers a row's line as if no cell held a line end and no line were blank. So where a line
is to be named, Python's reader goes through the file again, up to it.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from regcore.data.tables.read.dialect import Dialect, reader_of


@dataclass(frozen=True)
class CsvRow:
    """A row of a file.

    Attributes:
        row: Its number, from 1; the header has none, and is 0.
        line: On which it begins, from 1.
        cells: Its cells; None if its quotes are wrong.
    """

    row: int
    line: int
    cells: list[str] | None


@dataclass(frozen=True)
class CsvRows:
    """The rows of a CSV file in UTF-8.

    Attributes:
        path: The file.
        dialect: How it is written.
        has_header: Whether its first row names the columns.
    """

    path: Path
    dialect: Dialect
    has_header: bool

    def __iter__(self) -> Iterator[CsvRow]:
        number = 0 if self.has_header else 1
        with self.path.open(encoding="utf-8", newline="") as stream:
            for _ in range(self.dialect.num_lines_before):
                stream.readline()
            reader = reader_of(stream, self.dialect.delimiter, self.dialect.quoting)
            while True:
                line = self.dialect.num_lines_before + reader.line_num + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    if "field limit" in str(error):
                        return  # the cell is longer than Python reads; what follows cannot be told apart
                    yield CsvRow(number, line, None)
                    number += 1
                    continue
                if cells or self.dialect.num_cells == 1:
                    yield CsvRow(number, line, cells or [""])
                    number += 1

    def lines_of(self, rows: Sequence[int]) -> list[int | None]:
        """The lines on which these rows begin.

        Args:
            rows: Numbers of rows, ascending.
        """
        wanted = set(rows)
        lines = {row.row: row.line for row in islice(self, rows[-1] + 1) if row.row in wanted}
        return [lines.get(row) for row in rows]

    def wrong_rows(self, num_cells: int, most: int) -> list[CsvRow]:
        """The first rows that have another number of cells, not counting an empty one at the end, or wrong quotes."""
        return list(islice((row for row in self if not _fits(row, num_cells)), most))


def _fits(row: CsvRow, num_cells: int) -> bool:
    if row.cells is None:
        return False
    return len(row.cells) == num_cells or (len(row.cells) == num_cells + 1 and not row.cells[-1].strip())
