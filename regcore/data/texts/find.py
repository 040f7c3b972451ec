"""Which columns of a table hold text."""

from collections.abc import Sequence
from typing import Any, Final

import pyarrow.compute as pc

from regcore.data.media_facts import TextFacts
from regcore.data.tables.attempts import Distinct
from regcore.data.tables.facts import ColumnFacts, TableWarning
from regcore.data.tables.read_column import is_text
from regcore.data.texts.facts import facts_of_texts, has_several_words, texts_of
from regcore.data.texts.modality import is_running

_MAX_IDENTIFIERS: Final = 100_000
"""Of more different cells without spaces nobody asks for their words."""
_FEW_COLUMNS: Final = 32
"""In a table of no more columns, categories may be asked for as text too."""
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


def without_left_out(warnings: Sequence[TableWarning], columns: Sequence[ColumnFacts]) -> list[TableWarning]:
    """The warnings without those that texts are left out of a table."""
    texts = {column.name for column in columns if is_running(column)}
    return [one for one in warnings if one.code not in _LEFT_OUT or one.column not in texts]


def _is_empty(cells: Any) -> Any:
    return pc.equal(cells, "").to_numpy(zero_copy_only=False)
