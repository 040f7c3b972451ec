"""A column's distinct cells, read as one type."""

from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from regcore.data.tables.facts import ColumnType, Reading
from regcore.data.tables.read_column import gaps, is_text, read_column, spelled

AS_IT_IS: Final = Reading(num_missing=0, num_distinct=0)
"""A reading with no convention, before anything was read."""


@dataclass(frozen=True, slots=True, eq=False)
class Distinct:
    """The distinct cells of a column in the order in which they first occur, null left out.

    Attributes:
        cells: Texts without spaces at the ends, or values of another type.
        counts: How often each occurs, int64.
        num_null: Cells without a value of this column's own type.
    """

    cells: Any
    counts: Any
    num_null: int

    @classmethod
    def of(cls, cells: Any) -> "Distinct":
        """The distinct cells of a chunked array."""
        counted = pc.value_counts(spelled(cells) if is_text(cells.type) else cells)
        values, counts = counted.field("values"), counted.field("counts").to_numpy()
        valid = mask_of(values.is_valid())
        return cls(values.drop_null(), counts[valid], int(counts[~valid].sum()))

    @property
    def num_cells(self) -> int:
        """All cells of the column."""
        return int(self.counts.sum()) + self.num_null

    def where(self, mask: Any) -> "Distinct":
        """Some of them."""
        return Distinct(self.cells.filter(pa.array(mask)), self.counts[mask], 0)


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """A column read as one type.

    Attributes:
        reading: What came of it; which rows are unreadable is not known here.
        unreadable: The distinct cells that are neither gaps nor values.
        num_values: Cells that were read.
    """

    reading: Reading
    unreadable: Any
    num_values: int

    @property
    def reads_all(self) -> bool:
        """Whether nothing is unreadable."""
        return self.reading.num_unreadable == 0

    @property
    def reads_half(self) -> bool:
        """Whether at least half of the cells that are no gaps are values."""
        return self.num_values >= max(self.reading.num_unreadable, 1)


def attempt(distinct: Distinct, type: ColumnType, how: Reading) -> Attempt:
    """Read a column's distinct cells as one type.

    Args:
        distinct: They.
        type: The type.
        how: The convention of numbers, or the format of dates.
    """
    values = read_column(distinct.cells, type, how).combine_chunks()
    is_gap, is_value = mask_of(gaps(distinct.cells, type)), mask_of(values.is_valid())
    counts, is_unreadable = distinct.counts, ~is_gap & ~is_value
    reading = how.model_copy(
        update={
            "num_missing": int(counts[is_gap].sum()) + distinct.num_null,
            "num_unreadable": int(counts[is_unreadable].sum()),
            **_extent(type, values.drop_null()),
        }
    )
    return Attempt(reading, distinct.cells.filter(pa.array(is_unreadable)), int(counts[is_value].sum()))


def _extent(type: ColumnType, values: Any) -> dict[str, Any]:
    """How many values there are, and from where to where they go."""
    found: dict[str, Any] = {"num_distinct": len(values) if type == "category" else pc.count_distinct(values).as_py()}
    if type not in ("number", "date") or not len(values):
        return found
    if type == "date":
        found["has_time"] = bool(pc.any(pc.not_equal(values, pc.floor_temporal(values, unit="day"))).as_py())
        values = pc.divide(pc.cast(pc.cast(values, pa.int64()), pa.float64(), safe=False), 1e6)
    else:
        found["is_whole"] = bool(pc.all(pc.equal(values, pc.floor(values))).as_py())
    least, most = pc.min_max(values).as_py().values()
    return found | {"minimum": least, "maximum": most}


def mask_of(mask: Any) -> Any:
    """A mask of Arrow as one of NumPy."""
    return (mask.combine_chunks() if isinstance(mask, pa.ChunkedArray) else mask).to_numpy(zero_copy_only=False)
