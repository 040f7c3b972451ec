"""Whether a table is a set of texts, as its facts tell."""

from collections.abc import Sequence
from typing import Final

from regcore.data.tables.facts import ColumnFacts, Modality

_MAX_LABELS: Final = 3
"""Columns beside a text that may be what is predicted from it."""
_MAX_NUMBER_LABELS: Final = 20


def modality_of(columns: Sequence[ColumnFacts], default_target: str | None, num_rows: int) -> Modality:
    """`text` if a column of text is all that there is to learn from, beside what may be predicted.

    That is one other column of any kind, or at most three that can only be labels: categories, truth values, and whole
    numbers of few values. Identifiers, row numbers and columns to ignore do not count. A column of repeated sentences,
    which a table would take for categories, counts as text where it stands beside one other column.
    """
    others = [column for column in columns if not tells_nothing(column, num_rows)]
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


def tells_nothing(column: ColumnFacts, num_rows: int) -> bool:
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
