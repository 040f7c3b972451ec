"""Which columns of a table hold text, and whether the table is a set of texts."""

from collections.abc import Sequence
from typing import Any, Final

import pyarrow.compute as pc

from regcore.data.media_facts import TextFacts
from regcore.data.tables.attempts import Distinct
from regcore.data.tables.facts import ColumnFacts, Modality, TableWarning
from regcore.data.tables.read_column import is_text
from regcore.data.texts.facts import facts_of_texts, has_several_words, texts_of

_MAX_IDENTIFIERS: Final = 100_000
"""Of more different cells without spaces nobody asks for their words."""
_FEW_COLUMNS: Final = 32
"""In a table of no more columns, categories may be asked for as text too."""
_MAX_LABELS: Final = 3
"""Columns beside a text that may be what is predicted from it."""
_MAX_NUMBER_LABELS: Final = 20
_LEFT_OUT: Final = ("text_column", "identifier_column")
"""What is said of texts as columns of a table."""


def find_texts(cells: Any, column: ColumnFacts, num_columns: int) -> TextFacts | None:
    """The facts of a column as text; None if it holds none.

    Args:
        cells: The column, a chunked array.
        column: What it is in a table.
        num_columns: Of the whole table.
    """
    if column.type not in ("text", "category") or not is_text(cells.type):
        return None
    distinct = Distinct.of(cells)
    is_running = has_several_words(distinct.cells)
    is_asked_for = column.type == "text" and len(distinct.cells) <= _MAX_IDENTIFIERS
    if not (is_running or is_asked_for or num_columns <= _FEW_COLUMNS):
        return None
    num_empty = distinct.num_null + int(distinct.counts[_is_empty(distinct.cells)].sum())
    found = facts_of_texts((text for text in texts_of(distinct.cells) if text), num_empty=num_empty)
    return found.model_copy(update={"is_running": is_running})


def modality_of(columns: Sequence[ColumnFacts], default_target: str | None, num_rows: int) -> Modality:
    """`text` if a column of text is all that there is to learn from, beside what may be predicted.

    That is one other column of any kind, or at most three that can only be labels: categories, truth values, and whole
    numbers of few values. Identifiers, row numbers and columns to ignore do not count. A column of repeated sentences,
    which a table would take for categories, counts as text where it stands beside one other column.
    """
    others = [column for column in columns if not _tells_nothing(column, num_rows)]
    texts = [column for column in others if column.name != default_target and is_running(column)]
    proper = [column for column in texts if column.type == "text"]
    if not proper and len(texts) == 1 and len(others) <= 2:
        proper = texts
    if not proper:
        return "table"
    labels = [column for column in others if column not in proper]
    if len(labels) <= 1 or (len(labels) <= _MAX_LABELS and all(map(_may_be_label, labels))):
        return "text"
    return "table"


def is_running(column: ColumnFacts) -> bool:
    """Whether a column holds texts of several words."""
    return column.text is not None and column.text.is_running


def without_left_out(warnings: Sequence[TableWarning], columns: Sequence[ColumnFacts]) -> list[TableWarning]:
    """The warnings without those that texts are left out of a table."""
    texts = {column.name for column in columns if is_running(column)}
    return [one for one in warnings if one.code not in _LEFT_OUT or one.column not in texts]


def _tells_nothing(column: ColumnFacts, num_rows: int) -> bool:
    """Whether a column is left out of a table, or tells each row from all others."""
    if column.type == "ignore":
        return True
    if column.type == "text":
        return not is_running(column)
    number = column.readings.get("number")
    if column.type != "number" or number is None or not number.is_whole or number.num_missing:
        return False
    return number.num_distinct == num_rows and num_rows > _MAX_NUMBER_LABELS


def _may_be_label(column: ColumnFacts) -> bool:
    if column.type in ("category", "boolean"):
        return True
    number = column.readings.get("number")
    return (
        column.type == "number" and number is not None and number.is_whole and number.num_distinct <= _MAX_NUMBER_LABELS
    )


def _is_empty(cells: Any) -> Any:
    return pc.equal(cells, "").to_numpy(zero_copy_only=False)
