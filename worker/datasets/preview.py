"""The first rows of a table as JSON, so that its owner sees how it was read."""

import math
from datetime import date, time
from typing import Any

from regcore.data.images.cells import described_images
from regcore.data.sounds.stored import told_sound
from regcore.data.tables.facts import ColumnFacts
from regcore.data.tables.read_column import read_column
from regcore.data.tables.table import Table

NUM_ROWS = 20
_LARGEST_EXACT = 2**53
"""Above it, a program that reads JSON numbers as floats would change an integer."""
_MAX_CHARACTERS = 1_000


def preview_of(table: Table) -> dict[str, Any]:
    """The names of the columns and the first rows, each a list in the columns' order; None for a gap.

    Cells are as they were read: numbers and booleans as such, everything else as text, and of images and sounds their
    sizes.
    """
    columns = [_cells(table, facts) for facts in table.facts.columns]
    rows = [list(row) for row in zip(*columns, strict=True)] if columns else []
    return {"columns": [facts.name for facts in table.facts.columns], "rows": rows}


def _cells(table: Table, facts: ColumnFacts) -> list[Any]:
    cells = table.columns.column(facts.name).slice(0, NUM_ROWS)
    if facts.image is not None:
        return described_images(cells, facts.image)
    if facts.audio is not None:
        return [told_sound(cell) for cell in cells.to_pylist()]
    reading = facts.readings.get(facts.type)
    if reading is None:  # it is left out: as it stands in the file
        return [_as_json(cell) for cell in cells.to_pylist()]
    read = read_column(cells, facts.type, reading).to_pylist()
    if facts.type == "date" and not reading.has_time:
        read = [None if moment is None else moment.date() for moment in read]
    return [_as_json(cell) for cell in read]


def _as_json(cell: Any) -> Any:
    match cell:
        case None | bool():
            return cell
        case int() | float():
            return _number(cell)
        case date() | time():
            return cell.isoformat()
        case bytes():
            return cell.decode("utf-8", "replace")[:_MAX_CHARACTERS]
        case _:
            return str(cell)[:_MAX_CHARACTERS]


def _number(cell: float) -> float | str | None:
    """Whole numbers as such, without a point; beyond what every program keeps exact as text."""
    if not math.isfinite(cell):
        return None
    if cell != int(cell):
        return cell
    return int(cell) if abs(cell) <= _LARGEST_EXACT else str(cell)
