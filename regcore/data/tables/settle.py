"""The rows of a table that a run uses, and in which split each is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from regcore.data.row_groups import RowGroups
from regcore.data.split import Splits
from regcore.data.tables.choose import Chosen
from regcore.data.tables.encode import floats
from regcore.data.tables.facts import Reading
from regcore.data.tables.read_column import read_column
from regcore.data.tables.split import split_rows
from regcore.data.tables.target import Target

_AS_SPELLED = Reading(num_missing=0, num_distinct=0)


@dataclass(frozen=True, eq=False)
class SettledRows:
    """Rows with a target, by split; all rows if the spec asks for none.

    Attributes:
        numbers: Their places in the table, from 0, (N,).
        y: Class numbers as int64, or numbers in the target's own unit as float64, (N,); 0 without a target.
        splits: Places in `numbers` and `y`.
        groups: What `data.group_column` says of each row, as spelled, (N,); None without such a column.
    """

    numbers: NDArray[np.int64]
    y: NDArray[Any]
    splits: Splits
    groups: NDArray[np.object_] | None = None

    def by_split(self) -> dict[str, NDArray[np.int64]]:
        """Places of the rows of each split that has some."""
        assert self.splits.test is not None, "own tables have no official test split"
        named = {"train": self.splits.train, "validation": self.splits.validation, "test": self.splits.test}
        return {name: places for name, places in named.items() if len(places)}

    def row_groups(self, column: str | None, places: Mapping[str, NDArray[np.int64]] | None = None) -> RowGroups | None:
        """The groups of each split's rows; None without any.

        Args:
            column: The name of `data.group_column`.
            places: Of each split's rows in `numbers`, where they are in another order than in `splits`.
        """
        if column is None or self.groups is None:
            return None
        return RowGroups.of(column, self.groups, self.by_split() if places is None else places)


def settle_rows(columns: pa.Table, chosen: Chosen, data: Any, handed: NDArray[np.object_] | None = None) -> SettledRows:
    """Leave out rows without a target, and split the others.

    Args:
        columns: The table.
        chosen: What the spec takes from it.
        data: The spec's `data`.
        handed: The split of each row that was handed in apart, or `DRAWN`; None if there is none.

    Raises:
        SpecError: There are too few groups.
    """
    if chosen.target is None:
        numbers, y = np.arange(columns.num_rows, dtype=np.int64), np.zeros(columns.num_rows)
    else:
        numbers, y = read_target(columns[chosen.target.name], chosen.target)
    roles = handed if data.split_column is None else _spellings(columns, data.split_column)
    groups = None if data.group_column is None else _spellings(columns, data.group_column)[numbers]
    splits = split_rows(y, data, roles=None if roles is None else roles[numbers], groups=groups)
    return SettledRows(numbers, y, splits, groups)


def read_target(cells: Any, target: Target) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """The rows that have a target, and the targets: class numbers, or numbers."""
    values = read_column(cells, target.type, target.reading)
    if target.counts is None:
        targets = floats(values)
        numbers = np.flatnonzero(np.isfinite(targets))
        return numbers, targets[numbers]
    labels = read_column(pa.array(list(target.counts), pa.string()), target.type, target.reading).combine_chunks()
    if target.type in ("number", "boolean") or not len(labels):
        codes = pc.index_in(values, value_set=labels)
    else:
        codes = pc.index_in(pc.cast(values, pa.string()), value_set=pc.cast(labels, pa.string()))
    found = codes.fill_null(-1).to_numpy().astype(np.int64)
    numbers = np.flatnonzero(found >= 0)
    return numbers, found[numbers]


def _spellings(columns: pa.Table, name: str) -> NDArray[np.object_]:
    """The cells as categories, "" for a gap."""
    texts = pc.fill_null(pc.cast(read_column(columns[name], "category", _AS_SPELLED), pa.string()), "")
    return np.asarray(texts.to_numpy(), dtype=object)
