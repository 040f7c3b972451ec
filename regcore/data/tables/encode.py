"""From the columns of a table to the rows of a network, by what was fitted and is kept in `model.json`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from regcore.data.encoded import Columns, Encoded
from regcore.data.tables.calendar import calendar_places
from regcore.data.tables.facts import ColumnType, Reading
from regcore.shapes import RowInfo

_BLOCK_COLUMNS: Final = 64
"""Numbers are standardized so many columns at a time, in double precision."""
_MICROSECONDS_A_DAY: Final = 86_400_000_000

Missing = Literal["mean", "median", "error"]
OnGap = Callable[["EncodedColumn", NDArray[np.bool_]], None]
"""Called with a column and which of its rows are gaps, where any is."""
OnUnseen = Callable[["EncodedColumn", NDArray[np.bool_]], None]
"""Called with a column of categories and which of its rows hold one that has no place of its own."""


@dataclass(frozen=True, slots=True)
class EncodedColumn:
    """How one column is written into a row of the network.

    Attributes:
        name: Of the column.
        type: What it is read as.
        reading: How; only what matters for reading is kept.
        num_places: Numbers in a row, the indicator of gaps included.
        marks_gaps: Whether the last place is 1 for a gap; it stays 0 if no train row had one, as nothing was learned.
        had_gaps: Whether a train row had a gap.
        fill: What a gap is filled with: the statistic of the train rows' other cells, in the column's unit; of dates in
            days since 1970.
        mean: Of the filled train rows; None if not standardized.
        std: Their standard deviation, population form; 1 for a constant column.
        categories: Those with a place of their own, in order.
        pools_rare: Whether train rows had other categories, which share the place after theirs.
        calendar_fill: What fills the calendar's places of a date that is a gap: their means.
    """

    name: str
    type: ColumnType
    reading: Reading
    num_places: int
    marks_gaps: bool = False
    had_gaps: bool = False
    fill: float | None = None
    mean: float | None = None
    std: float | None = None
    categories: tuple[str, ...] = ()
    pools_rare: bool = False
    calendar_fill: tuple[float, ...] = ()

    @property
    def pooled_place(self) -> int:
        """Of categories: the place, counted from the column's first, of the rare and the never seen."""
        return self.num_places - 1 - self.marks_gaps

    def to_json(self) -> dict[str, Any]:
        """As an item of `preprocessing.columns` in `model.json`."""
        reading = self.reading.model_dump(include={"decimal", "thousands", "date_format", "has_time"})
        return {
            "name": self.name,
            "type": self.type,
            "reading": reading,
            "num_places": self.num_places,
            "marks_gaps": self.marks_gaps,
            "had_gaps": self.had_gaps,
            "fill": self.fill,
            "mean": self.mean,
            "std": self.std,
            "categories": list(self.categories),
            "pools_rare": self.pools_rare,
            "calendar_fill": list(self.calendar_fill),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "EncodedColumn":
        """The inverse of `to_json`."""
        return cls(
            **{
                **body,
                "reading": Reading(num_missing=0, num_distinct=0, **body["reading"]),
                "categories": tuple(body["categories"]),
                "calendar_fill": tuple(body["calendar_fill"]),
            }
        )


@dataclass(frozen=True)
class TablePreprocessing:
    """All columns, in the order of their places.

    Attributes:
        encoded: The columns.
        missing: What the spec says about gaps.
        given: All columns of the rows that were given, the target left out: rows without names may have these.
        target: The column that is predicted, which rows may hold too.
    """

    encoded: tuple[EncodedColumn, ...]
    missing: Missing = "mean"
    given: tuple[str, ...] = ()
    target: str | None = None
    kind: Literal["table"] = field(default="table", init=False)
    image_maximum: None = field(default=None, init=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.encoded)

    @property
    def is_fitted(self) -> bool:
        """Whether anything depends on the train rows."""
        return any(c.mean is not None or c.categories or c.marks_gaps for c in self.encoded)

    @cached_property
    def feature_shape(self) -> tuple[int]:
        """(places,)."""
        return (sum(column.num_places for column in self.encoded),)

    @property
    def row(self) -> RowInfo:
        """(places,)."""
        return RowInfo(self.feature_shape)

    @property
    def columns_of_places(self) -> list[int]:
        """The number of the column that each place belongs to."""
        return [number for number, column in enumerate(self.encoded) for _ in range(column.num_places)]

    @property
    def layout(self) -> tuple[Any, ...]:
        """Columns, in their order, and the places of each."""
        return self.kind, *((c.name, c.type, c.num_places, c.marks_gaps) for c in self.encoded)

    @property
    def scaling(self) -> None:
        """Places of one column are not scaled one by one: see `regcore.loop.between_scalings`."""

    @property
    def unlearned_places(self) -> list[int]:
        """Places that are 0 in every train row and may be another number in a new one: those of categories never seen,
        where the train rows have none that share them."""
        return [
            self.starts[column.name] + column.pooled_place
            for column in self.encoded
            if column.type == "category" and not column.pools_rare and (column.marks_gaps or not column.had_gaps)
        ]

    @cached_property
    def starts(self) -> dict[str, int]:
        """The first place of each column."""
        ends = np.cumsum([column.num_places for column in self.encoded]).tolist()
        return dict(zip(self.columns, [0, *ends[:-1]], strict=True))

    def encode(
        self,
        columns: Columns,
        dtype: Any,
        *,
        on_gap: OnGap = lambda column, is_gap: None,
        on_unseen: OnUnseen = lambda column, is_unseen: None,
    ) -> Encoded:
        """Rows of the network, (N, places), of this dtype.

        Args:
            columns: At least those that were fitted, each as `read_column` gives it.
            dtype: float32 or float64.
            on_gap: Is told of gaps.
            on_unseen: Is told of categories without a place of their own.
        """
        num_rows = len(columns[self.encoded[0].name])
        rows = np.zeros((num_rows, *self.feature_shape), dtype)
        numbers = [column for column in self.encoded if column.type == "number"]
        for block in blocks(numbers):
            self._write_numbers(block, columns, rows, on_gap)
        for column in self.encoded:
            if column.type != "number":
                part = rows[:, self.starts[column.name] : self.starts[column.name] + column.num_places]
                _WRITERS[column.type](column, columns[column.name], part, on_gap, on_unseen)
        return Encoded(rows)

    def _write_numbers(
        self, block: Sequence[EncodedColumn], columns: Columns, rows: NDArray[Any], on_gap: OnGap
    ) -> None:
        values = np.empty((len(rows), len(block)))
        for position, column in enumerate(block):
            values[:, position] = floats(columns[column.name])
            is_gap = np.isnan(values[:, position])
            if is_gap.any():
                on_gap(column, is_gap)
                values[is_gap, position] = column.fill
                if column.marks_gaps and column.had_gaps:
                    rows[:, self.starts[column.name] + 1] = is_gap
        places = [self.starts[column.name] for column in block]
        if block[0].mean is not None:
            values -= np.array([column.mean for column in block], np.float64)
            values /= np.array([column.std for column in block], np.float64)
        with np.errstate(over="ignore"):  # a value beyond float32 is infinite there
            rows[:, places] = values

    def to_json(self) -> dict[str, Any]:
        """As `preprocessing` in `model.json`."""
        return {
            "kind": self.kind,
            "feature_shape": list(self.feature_shape),
            "columns": [column.to_json() for column in self.encoded],
            "missing": self.missing,
            "given_columns": list(self.given),
            "target": self.target,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "TablePreprocessing":
        """The inverse of `to_json`; also reads what versions wrote that knew only columns of numbers."""
        if "missing" in body:
            encoded = tuple(map(EncodedColumn.from_json, body["columns"]))
            return cls(encoded, body["missing"], tuple(body["given_columns"]), body["target"])
        means, stds = (body[name] or [None] * len(body["columns"]) for name in ("mean", "std"))
        reading = Reading(num_missing=0, num_distinct=0)
        encoded = tuple(
            EncodedColumn(column["name"], "number", reading, 1, mean=mean, std=std)
            for column, mean, std in zip(body["columns"], means, stds, strict=True)
        )
        return cls(encoded, "error", tuple(column.name for column in encoded))


def floats(column: Any) -> NDArray[np.float64]:
    """Numbers, truth values as 0 and 1, or dates in days since 1970; NaN for a gap. The caller may change them."""
    if pa.types.is_timestamp(column.type):
        return floats(pc.cast(column, pa.int64())) / _MICROSECONDS_A_DAY
    filled = pc.cast(column, pa.float64(), safe=False)
    combined = filled.combine_chunks() if isinstance(filled, pa.ChunkedArray) else filled
    values: NDArray[np.float64] = combined.to_numpy(zero_copy_only=False)
    return values if values.flags.writeable else values.copy()  # Arrow's own memory is read-only


def blocks(columns: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """As many columns of numbers as are treated together."""
    edges = [*range(0, len(columns), _BLOCK_COLUMNS), len(columns)]
    return (columns[start:end] for start, end in pairwise(edges))


def _write_boolean(column: EncodedColumn, values: Any, part: NDArray[Any], on_gap: OnGap, on_unseen: OnUnseen) -> None:
    known = floats(values)
    is_gap = np.isnan(known)
    part[:, 0] = np.where(is_gap, column.fill or 0.0, known)
    _mark(column, is_gap, part, on_gap)


def _write_date(column: EncodedColumn, values: Any, part: NDArray[Any], on_gap: OnGap, on_unseen: OnUnseen) -> None:
    days = floats(values)
    is_gap = np.isnan(days)
    days = np.where(is_gap, column.fill or 0.0, days)
    part[:, 0] = (days - (column.mean or 0.0)) / (column.std or 1.0)
    num_calendar = len(column.calendar_fill)
    part[:, 1 : 1 + num_calendar] = calendar_places(microseconds(values), has_time=column.reading.has_time)
    part[is_gap, 1 : 1 + num_calendar] = column.calendar_fill
    _mark(column, is_gap, part, on_gap)


def _write_category(column: EncodedColumn, values: Any, part: NDArray[Any], on_gap: OnGap, on_unseen: OnUnseen) -> None:
    combined = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    is_gap = np.asarray(combined.is_null().to_numpy(zero_copy_only=False), bool)
    found = pc.index_in(combined, value_set=pa.array(column.categories, pa.string()))
    codes = found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    is_unseen = (codes < 0) & ~is_gap
    if is_unseen.any():
        on_unseen(column, is_unseen)
    learned_gaps = column.marks_gaps and column.had_gaps
    pooled_rows = is_unseen if learned_gaps else codes < 0
    codes[pooled_rows] = column.pooled_place
    written = codes >= 0
    part[np.flatnonzero(written), codes[written]] = 1
    _mark(column, is_gap, part, on_gap)


def _mark(column: EncodedColumn, is_gap: NDArray[np.bool_], part: NDArray[Any], on_gap: OnGap) -> None:
    if is_gap.any():
        on_gap(column, is_gap)
        if column.marks_gaps and column.had_gaps:
            part[:, -1] = is_gap


def microseconds(column: Any) -> NDArray[np.int64]:
    """Since 1970; 0 for a gap."""
    whole = pc.fill_null(pc.cast(column, pa.int64()), 0)
    combined = whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
    values: NDArray[np.int64] = combined.to_numpy(zero_copy_only=False)
    return values


_WRITERS: Final = {"boolean": _write_boolean, "date": _write_date, "category": _write_category}
