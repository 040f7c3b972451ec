"""A table with one column of images, texts or sounds beside its others."""

from collections.abc import Sequence
from typing import Literal

import pyarrow as pa

from regcore.data.files.entry import MediaColumn
from regcore.data.tables.facts import MAX_EXAMPLES, ColumnFacts, Reading, TableFacts
from regcore.data.tables.table import Table

Media = Literal["image", "audio", "text"]


def with_media(
    others: pa.Table, facts: TableFacts, media: Media, column: MediaColumn, *, examples: Sequence[str] = ()
) -> Table:
    """The table with this column behind its others, called by what it holds.

    Args:
        others: The other columns: targets and splits; there may be none.
        facts: Of the others.
        media: What the rows of the set are.
        column: One cell for each row.
        examples: What facts show of the cells.
    """
    reading = Reading(num_missing=0, num_distinct=len(column.cells))
    own = ColumnFacts(
        name=media,
        type=media,
        readings={media: reading, "category": reading},
        values=None,
        examples=list(examples[:MAX_EXAMPLES]),
    ).model_copy(update={media: column.facts})
    whole = facts.model_copy(
        update={
            "modality": media,
            "num_rows": len(column.cells),
            "columns": [*facts.columns, own],
            "warnings": [*facts.warnings, *column.warnings],
        }
    )
    # A table without columns has no rows either, and takes none.
    columns = others.append_column(media, column.cells) if others.num_columns else pa.table({media: column.cells})
    return Table(columns, whole)
