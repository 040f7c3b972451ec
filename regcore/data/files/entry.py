"""One file of a set of files, and the column that a reader makes of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regcore.data.media_facts import AudioFacts, ImageFacts, TextFacts
from regcore.data.tables.facts import TableWarning

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a folder or in a ZIP archive.

    Attributes:
        path: Where it lies in the set, with `/` between folders, as messages call it.
        size_bytes: Of its content.
        read: Gives its content. Raises InvalidDataError if it is damaged, or longer than `size_bytes`.
    """

    path: str
    size_bytes: int
    read: Callable[[], bytes]


@dataclass(frozen=True)
class MediaColumn:
    """What was read of the files of a set.

    Attributes:
        cells: One for each file, in their order.
        facts: Of all of them.
        warnings: What their owner should know.
    """

    cells: pa.ChunkedArray
    facts: ImageFacts | TextFacts | AudioFacts
    warnings: list[TableWarning] = field(default_factory=list)
