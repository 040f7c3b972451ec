"""Cells of text, alike in every format: spaces at their ends trimmed, of a bounded length, and without NUL."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from regcore.data.tables.limits import Limits
from regcore.errors import InvalidDataError, shortened


def clean_text(name: str, cells: pa.ChunkedArray, limits: Limits) -> pa.ChunkedArray:
    """The cells of a column, checked and trimmed if they are text.

    Raises:
        InvalidDataError: A cell is too long, or holds the character NUL.
    """
    if not pa.types.is_string(cells.type):
        return cells
    check_text(name, cells, limits)
    return pc.utf8_trim_whitespace(cells)


def check_text(name: str, cells: pa.ChunkedArray, limits: Limits) -> None:
    """Refuse cells of text that are too long, or hold the character NUL.

    Raises:
        InvalidDataError: There is one.
    """
    lengths = pc.binary_length(cells)
    if (pc.max(lengths).as_py() or 0) > limits.max_cell_bytes:
        row, length = _first(pc.greater(lengths, limits.max_cell_bytes)), pc.max(lengths).as_py()
        raise _refused(
            name, row, f"has {length:,} bytes, and may have {limits.max_cell_bytes:,}", "Shorten it, or leave it out."
        )
    with_nul = pc.match_substring(cells, "\0")
    if pc.any(with_nul).as_py():
        raise _refused(name, _first(with_nul), "holds the character NUL", "Remove it, or leave the column out.")


def _first(is_wrong: Any) -> int:
    """The first row, from 1, of which this is true."""
    return int(pc.index(is_wrong, True).as_py()) + 1


def _refused(name: str, row: int, said: str, remedy: str) -> InvalidDataError:
    return InvalidDataError(
        f"Row {row:,}, column {shortened(name, 80)!r}: the cell {said}.",
        remedy=remedy,
        details={"row": row, "column": name},
    )
