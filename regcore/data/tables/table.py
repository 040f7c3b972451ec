"""A table of the user's own in memory, and as one file of our own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from regcore.data.tables.facts import TableFacts
from regcore.errors import InvalidDataError

_FACTS: Final = b"regcore.table_facts"
_ROWS_A_GROUP: Final = 250_000


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns with their final names, and what was found about them.

    Attributes:
        columns: Text as it was read, spaces at the ends trimmed, "" for an empty cell; other formats' own types.
        facts: Of these columns, in this order.
    """

    columns: pa.Table
    facts: TableFacts


def write_table(path: Path, table: Table) -> None:
    """Write a Parquet file that holds the facts too."""
    facts = table.facts.model_dump_json(exclude_defaults=True).encode()
    columns = table.columns.replace_schema_metadata({_FACTS: facts})
    pq.write_table(columns, path, compression="zstd", row_group_size=_ROWS_A_GROUP)


def read_table(path: Path) -> Table:
    """Read what `write_table` wrote.

    Raises:
        InvalidDataError: The file is another one, or damaged.
    """
    try:
        columns = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InvalidDataError(f"the table {path.name} cannot be read: {error}", remedy=_REMEDY) from error
    facts = (columns.schema.metadata or {}).get(_FACTS)
    if facts is None:
        raise InvalidDataError(f"{path.name} is not a table that RegCore wrote", remedy=_REMEDY)
    return Table(columns.replace_schema_metadata(None), TableFacts.model_validate_json(facts))


_REMEDY: Final = "Read the table anew from its own file."
