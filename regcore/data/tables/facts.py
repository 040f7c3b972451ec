"""The facts of a table, found once when it is read and kept as JSON: enough to plan any job on it."""

from typing import Literal

from pydantic import Field

from regcore.data.media_facts import AudioFacts, ImageFacts, TextFacts
from regcore.frozen import Immutable

ColumnType = Literal["number", "category", "boolean", "date", "text", "image", "audio", "ignore"]
"""What a column's cells are read as. A table's features are the first four."""
AskedType = Literal["number", "category", "boolean", "date", "text", "ignore"]
"""What a spec may say that a column is."""
Modality = Literal["table", "image", "text", "audio"]
"""What the rows of a set are."""
Format = Literal["csv", "parquet", "jsonl", "npz", "idx", "zip", "folder", "arrays"]
"""What a set came as."""

MAX_VALUES = 1_000
"""The most distinct values of a column that are kept with their counts; also the most classes of a target."""
MAX_EXAMPLES = 5


class Cell(Immutable):
    """One cell, by its place in the file."""

    row: int
    """From 1, the header not counted."""
    line: int | None = None
    """Line of the file on which the row begins, from 1; null where rows have no lines."""
    text: str
    """As it stands in the file, cut at 100 characters."""


class Reading(Immutable):
    """A column read as one type."""

    num_missing: int
    """Cells that are gaps in this reading."""
    num_distinct: int
    """Different values among the others."""
    num_unreadable: int = 0
    """Cells that are neither gaps nor values of this type. They count as gaps where `types` asks for this reading."""
    unreadable: list[Cell] = Field(default=[], max_length=MAX_EXAMPLES)
    """The first of them."""
    decimal: Literal[".", ","] = "."
    """Of numbers."""
    thousands: Literal[",", ".", " ", "'", "\u00a0", "\u202f"] | None = None
    """Of numbers."""
    date_format: str | None = None
    """Of dates that are text, in strptime's words; null for ISO 8601 and for dates that are no text."""
    has_time: bool = False
    """Of dates: whether any has a time other than midnight."""
    is_whole: bool = False
    """Of numbers: whether all are whole."""
    minimum: float | None = None
    """Of numbers; of dates in seconds since 1970."""
    maximum: float | None = None


class ColumnFacts(Immutable):
    """One column."""

    name: str
    given_name: str | None = None
    """As it stands in the file, if it had to be renamed."""
    type: ColumnType
    """What was found."""
    why: str = ""
    """Why this type, where it may surprise."""
    readings: dict[ColumnType, Reading]
    """The type found, `category` always, and every other type as which at least half of the cells can be read."""
    values: dict[str, int] | None
    """Each distinct spelling with its number of cells, gaps left out, sorted as numbers if all are; None above
    `MAX_VALUES` of them."""
    examples: list[str] = Field(max_length=MAX_EXAMPLES)
    """The first distinct cells that are no gaps, as spelled."""
    present_by_split: dict[str, dict[str, int]] = Field(default={})
    """For each column of this table that holds only train, validation and test: the number of this column's cells that
    are no gaps, by that column's value. Counted as in a target, whose `NA` is a gap also where it is a category."""

    image: ImageFacts | None = None
    """Of images."""
    text: TextFacts | None = None
    """Of text."""
    audio: AudioFacts | None = None
    """Of sounds."""

    @property
    def num_missing(self) -> int:
        """Gaps, as the column is read."""
        return self._reading.num_missing

    @property
    def num_distinct(self) -> int:
        """Different values, as the column is read."""
        return self._reading.num_distinct

    @property
    def _reading(self) -> Reading:
        """Of its type; that of what is not read is how it is spelled."""
        return self.readings.get(self.type) or self.readings["category"]


class TableWarning(Immutable):
    """Something about the file that its owner should know."""

    code: str
    message: str
    remedy: str
    column: str | None = None


class TableFacts(Immutable):
    """One table, or a set of images, texts or sounds with a row for each."""

    format: Format
    modality: Modality = "table"
    """What the network gets, unless a spec's `features` say otherwise."""
    num_rows: int
    columns: list[ColumnFacts]
    warnings: list[TableWarning] = Field(default=[])
    encoding: str | None = None
    """Of a text file."""
    delimiter: str | None = None
    """Of a CSV file."""
    default_target: str | None = None
    """The column that is the target if none is named: `y` of an NPZ file or of arrays."""

    def column(self, name: str) -> ColumnFacts | None:
        """The column of this name; None if there is none."""
        return next((column for column in self.columns if column.name == name), None)
