"""The dialect of a CSV file: what separates its cells, what quotes them, and where its rows begin.

Python's reader is tried with every separator and quote on the beginning of the file. The one is taken by which most
rows are as wide as the header: so a row that is too short stays a row that is too short, and the file is never taken
for one of a single column because of it.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from regcore.errors import InvalidDataError

if TYPE_CHECKING:
    from _csv import Reader  # the only name that it has

Delimiter = Literal[",", ";", "\t", "|"]

_SAMPLE_CHARACTERS: Final = 1 << 18
_MOST_SAMPLE_CHARACTERS: Final = 1 << 23
_FEWEST_LINES: Final = 5
_DELIMITERS: Final[tuple[Delimiter, ...]] = ("\t", ";", "|", ",")
"""The first wins where two explain the rows alike: `1,5;2,5` is two numbers with decimal commas."""
_ALIKE: Final = 0.02
"""A share of rows, by which the common quotes may be worse than others and are still taken."""
_LINE_END: Final = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Quoting:
    """How cells are quoted, and quotes within them written."""

    quote: Literal['"', "'"] = '"'
    escape: Literal['"', "'", "\\"] = '"'


_QUOTINGS: Final = (Quoting(), Quoting('"', "\\"), Quoting("'", "'"))


@dataclass(frozen=True)
class Dialect:
    """How a file's rows are written.

    Attributes:
        delimiter: What separates cells.
        quoting: What quotes them.
        num_lines_before: Lines before the first row: blank ones, comments, and Excel's `sep=;`.
        num_comments: How many of them are comments.
        num_cells: In most rows of the beginning, the first left aside.
        first_row: As it is written.
        has_empty_end: Whether all rows but perhaps the first end in an empty cell.
    """

    delimiter: Delimiter
    quoting: Quoting
    num_lines_before: int
    num_comments: int
    num_cells: int
    first_row: tuple[str, ...]
    has_empty_end: bool


@dataclass(frozen=True)
class _Count:
    delimiter: Delimiter
    quoting: Quoting
    widths: Counter[int]
    first_row: tuple[str, ...]
    has_empty_end: bool

    @property
    def num_cells(self) -> int:
        return max(self.widths, key=lambda width: (self.widths[width], width))

    @property
    def share(self) -> float:
        return self.widths[self.num_cells] / self.widths.total()

    @property
    def fits_first_row(self) -> bool:
        return len(self.first_row) == self.num_cells

    @property
    def fit(self) -> float:
        return self.fits_first_row + self.share


def find_dialect(path: Path) -> Dialect | None:
    """The dialect of a file in UTF-8; None if it has no rows.

    Raises:
        InvalidDataError: Its first row does not end.
    """
    text, is_whole = _beginning(path)
    said, num_before, text = _without_blank_lines(text)
    comments = [line for line, _ in _leading(text, "#")]
    table = _after_lines(text, len(comments))
    found = _find(table or text, is_whole, said)
    if found is None and text.strip():
        raise InvalidDataError(
            f"A quote in its first row, on line {num_before + len(comments) + 1:,}, is not closed.",
            remedy="Close it, or double it if it is a part of the cell.",
            details={"line": num_before + len(comments) + 1},
        )
    if found is None:
        return None
    num_comments = _num_comments(comments, found) if table else 0
    first = next(_rows(_after_lines(text, num_comments), found.delimiter, found.quoting), None)
    return Dialect(
        delimiter=found.delimiter,
        quoting=found.quoting,
        num_lines_before=num_before + num_comments,
        num_comments=num_comments,
        num_cells=found.num_cells,
        first_row=tuple(first or found.first_row),
        has_empty_end=found.has_empty_end,
    )


def _beginning(path: Path) -> tuple[str, bool]:
    """Whole lines, and whether they are all."""
    with path.open(encoding="utf-8", newline="") as stream:
        text = stream.read(_SAMPLE_CHARACTERS)
        while len(text) < _MOST_SAMPLE_CHARACTERS and len(_LINE_END.findall(text)) < _FEWEST_LINES:
            more = stream.read(_SAMPLE_CHARACTERS)
            if not more:
                break
            text += more
        is_whole = not stream.read(1)
    ends = [end.end() for end in _LINE_END.finditer(text)]
    return (text, True) if is_whole or not ends else (text[: ends[-1]], False)


def _without_blank_lines(text: str) -> tuple[Delimiter | None, int, str]:
    """The separator that Excel names in a first line `sep=;`, the lines before the first row, and the rest."""
    said, num_lines = None, 0
    while match := re.match(r"[ \t]*(?:\r\n|\n|\r)|(?i:\"?sep=(?P<said>[,;\t|])\"?)[ \t]*(?:\r\n|\n|\r)", text):
        said = next((one for one in _DELIMITERS if one == match["said"]), said)
        text, num_lines = text[match.end() :], num_lines + 1
    return said, num_lines, text


def _leading(text: str, sign: str) -> Iterator[tuple[str, int]]:
    """The first lines that begin with a sign, and where they end."""
    start = 0
    while text.startswith(sign, start):
        end = _LINE_END.search(text, start)
        stop = end.end() if end else len(text)
        yield text[start:stop], stop
        start = stop


def _after_lines(text: str, num_lines: int) -> str:
    *_, (_, stop) = [("", 0), *islice(_leading(text, "#"), num_lines)]
    return text[stop:]


def _num_comments(lines: list[str], found: _Count) -> int:
    """How many of the first lines with # are comments: up to the one that is a row, as `#id,name` is."""
    for number, line in enumerate(lines):
        cells = next(_rows(line, found.delimiter, found.quoting), None)
        if cells and len(cells) == found.num_cells > 1 and not line.startswith(("# ", "##")):
            return number
    return len(lines)


def _find(text: str, is_whole: bool, said: Delimiter | None) -> _Count | None:
    counts = [_with_best_quoting(text, is_whole, delimiter) for delimiter in ((said,) if said else _DELIMITERS)]
    known = [count for count in counts if count is not None]
    wide = [count for count in known if count.num_cells > 1 and (said or count.share >= 0.5)]
    if wide:
        return max(wide, key=lambda count: (count.fits_first_row, round(count.share, 2)))
    return known[-1] if known else None


def _with_best_quoting(text: str, is_whole: bool, delimiter: Delimiter) -> _Count | None:
    # Quotes and escapes that do not occur explain nothing: they would only hide that a common quote is left open.
    occurring = [_QUOTINGS[0], *(one for one in _QUOTINGS[1:] if one.escape in text)]
    counts = [_count(text, is_whole, delimiter, quoting) for quoting in occurring]
    known = [count for count in counts if count is not None]
    best = max((count.fit for count in known), default=0.0)
    return next((count for count in known if count.fit >= best - _ALIKE), None)


def _count(text: str, is_whole: bool, delimiter: Delimiter, quoting: Quoting) -> _Count | None:
    widths: Counter[int] = Counter()
    first: list[str] | None = None
    has_empty_end = True
    for row in _rows(text, delimiter, quoting, is_whole=is_whole):
        if row is None:
            widths[0] += 1
            continue
        if first is None:
            first = row
            continue
        widths[len(row)] += 1
        has_empty_end = has_empty_end and not row[-1].strip()
    if first is None:
        return None
    if not widths:
        return _Count(delimiter, quoting, Counter([len(first)]), tuple(first), has_empty_end=False)
    return _Count(delimiter, quoting, widths, tuple(first), has_empty_end)


def _rows(text: str, delimiter: Delimiter, quoting: Quoting, *, is_whole: bool = True) -> Iterator[list[str] | None]:
    """The rows that are not blank; None for one whose quotes are wrong."""
    reader = reader_of(io.StringIO(text, newline=""), delimiter, quoting)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if is_whole or "end of data" not in str(error):
                yield None
            continue
        if row:
            yield row


def reader_of(lines: Iterator[str] | io.TextIOBase, delimiter: Delimiter, quoting: Quoting) -> "Reader":
    """Python's reader of this dialect, which raises `csv.Error` where quotes are wrong."""
    return csv.reader(
        lines,
        delimiter=delimiter,
        quotechar=quoting.quote,
        doublequote=quoting.escape == quoting.quote,
        escapechar=None if quoting.escape == quoting.quote else quoting.escape,
        skipinitialspace=True,
        strict=True,
    )
