"""What a reader hands over: columns as they were read, before their types are found."""

from dataclasses import dataclass, field

import pyarrow as pa

from regcore.data.tables.facts import TableWarning


@dataclass(frozen=True)
class ReadRows:
    """The rows of one file.

    Attributes:
        names: As they stand in the file.
        columns: One for each name, all of one length. Text columns hold cells as read.
        warnings: What the reader noticed.
        default_target: The column that is the target if none is named.
    """

    names: list[str]
    columns: list[pa.ChunkedArray]
    warnings: list[TableWarning] = field(default_factory=list)
    default_target: str | None = None
