"""A table of the user's own in memory, and as one file of our own.

The file is Arrow's, uncompressed: it is mapped, so that a table larger than memory is read where it lies.
"""

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from regcore.data.tables.facts import TableFacts
from regcore.errors import InvalidDataError

_FACTS: Final = b"regcore.table_facts"
_BATCH_BYTES: Final = 16_000_000
_MAX_BATCH_ROWS: Final = 65_536
_PARQUET: Final = b"PAR1"
"""How files of versions before 1.2 begin."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns with their final names, and what was found about them.

    Attributes:
        columns: Text as it was read, spaces at the ends trimmed, "" for an empty cell; other formats' own types.
        facts: Of these columns, in this order.
        mapped: The file that the columns lie in; None if they lie in memory.
    """

    columns: pa.Table
    facts: TableFacts
    mapped: mmap.mmap | None = None

    def let_go(self) -> None:
        """Give back the memory of what was read of the file; it is read again where it is needed."""
        if self.mapped is not None:
            self.mapped.madvise(mmap.MADV_DONTNEED)


def write_table(path: Path, table: Table) -> None:
    """Write a file that holds the facts too."""
    facts = table.facts.model_dump_json(exclude_defaults=True).encode()
    columns = table.columns.replace_schema_metadata({_FACTS: facts})
    row_bytes = max(1, columns.nbytes // max(1, columns.num_rows))
    batch_rows = max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES // row_bytes))
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, columns.schema) as writer:
        writer.write_table(columns, max_chunksize=batch_rows)


def read_table(path: Path) -> Table:
    """Read what `write_table` wrote; nothing but the facts is in memory before it is looked at.

    Raises:
        InvalidDataError: The file is another one, or damaged.
    """
    mapped: mmap.mmap | None = None
    try:
        with path.open("rb") as file:
            if file.read(len(_PARQUET)) == _PARQUET:
                columns = pq.read_table(path)
            else:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                columns = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped))).read_all()
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: nothing can be mapped of an empty file
        raise InvalidDataError(f"the table {path.name} cannot be read: {error}", remedy=_REMEDY) from error
    facts = (columns.schema.metadata or {}).get(_FACTS)
    if facts is None:
        raise InvalidDataError(f"{path.name} is not a table that RegCore wrote", remedy=_REMEDY)
    return Table(columns.replace_schema_metadata(None), TableFacts.model_validate_json(facts), mapped)


_REMEDY: Final = "Read the table anew from its own file."
