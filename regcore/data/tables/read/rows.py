"""What the readers of binary files and of JSON hand over, and the table that it becomes."""

from dataclasses import dataclass, field

import pyarrow as pa

from regcore.data.files.entry import MediaColumn
from regcore.data.tables.facts import Format, TableWarning
from regcore.data.tables.find_types import find_facts
from regcore.data.tables.limits import Limits
from regcore.data.tables.media_column import with_media
from regcore.data.tables.names import final_names
from regcore.data.tables.read.text_cells import clean_text
from regcore.data.tables.table import Table


@dataclass(frozen=True)
class ReadRows:
    """The rows of one file, before the types of its columns are found.

    Attributes:
        names: As they stand in the file.
        columns: One for each name, all of one length.
        warnings: What the reader noticed.
        default_target: The column that is the target if none is named.
        media: Images, beside the columns.
    """

    names: list[str]
    columns: list[pa.ChunkedArray]
    warnings: list[TableWarning] = field(default_factory=list)
    default_target: str | None = None
    media: MediaColumn | None = None

    def table(self, format: Format, limits: Limits) -> Table:
        """The table, with unique names and trimmed text.

        Raises:
            InvalidDataError: A cell of text is too long, or holds NUL.
        """
        names, renamed = final_names(self.names)
        cells = [clean_text(name, column, limits) for name, column in zip(names, self.columns, strict=True)]
        columns = pa.table(cells, names=names)
        facts = find_facts(
            columns,
            format=format,
            default_target=self.default_target,
            given_names={new: old for new, old in zip(names, self.names, strict=True) if new != old},
            warnings=[*renamed, *self.warnings],
        )
        return Table(columns, facts) if self.media is None else with_media(columns, facts, "image", self.media)
