"""Train, validation and test rows: how many (pure Python, for the plan) and which (seeded, stratified).

The test rows are drawn first, then the validation rows from the rest. An official test split is used as it is. If the
spec asks for a fraction instead, the official test rows are not used. Where rows are of groups, such as the voices of
speech, whole groups are drawn.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from regcore.data.tables.groups import SPLITS, assign_groups

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from regcore.data.load import RawData


class SplitSpec(Protocol):
    """The part of a spec's `data` that says how to split."""

    @property
    def test_fraction(self) -> float | None: ...
    @property
    def validation_fraction(self) -> float: ...
    @property
    def split_seed(self) -> int: ...
    @property
    def train_limit(self) -> int | None: ...


class SplitSizes(NamedTuple):
    """Rows of each split."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """Row numbers of each split, (rows,) int64; `test` is None if the official test split is used."""

    train: "NDArray[np.int64]"
    validation: "NDArray[np.int64]"
    test: "NDArray[np.int64] | None"


def split_sizes(num_rows: int, spec: SplitSpec, *, num_test_rows: int | None = None) -> SplitSizes:
    """How many rows each split has.

    test = ⌈n·test_fraction⌉, validation = ⌈(n − test)·validation_fraction⌉,
    train = min(the rest, train_limit)

    Args:
        num_rows: Rows to split from.
        spec: Fractions and limit.
        num_test_rows: Rows of the official test split, if there is one.
    """
    drawn = 0 if spec.test_fraction is None else math.ceil(num_rows * spec.test_fraction)
    validation = math.ceil((num_rows - drawn) * spec.validation_fraction)
    train = num_rows - drawn - validation
    if spec.train_limit is not None:
        train = min(train, spec.train_limit)
    test = (num_test_rows or 0) if spec.test_fraction is None else drawn
    return SplitSizes(train, validation, test)


def group_split_sizes(group_sizes: Mapping[str, int], spec: SplitSpec) -> SplitSizes:
    """How many rows each split has where whole groups are drawn.

    Args:
        group_sizes: Rows of each group.
        spec: Fractions, seed and limit.
    """
    assigned = assign_groups(group_sizes, spec)
    rows = {name: sum(group_sizes[group] for group in assigned if assigned[group] == name) for name in SPLITS}
    train = rows["train"] if spec.train_limit is None else min(rows["train"], spec.train_limit)
    return SplitSizes(train, rows["validation"], rows["test"])


def split(raw: "RawData", spec: SplitSpec) -> Splits:
    """Draw the splits: the same for the same seed, and stratified by class for classification."""
    import numpy as np

    if raw.groups is not None:
        return _split_groups(raw, raw.groups, spec)
    num_test_rows = None if raw.official_test is None else len(raw.official_test[1])
    sizes = split_sizes(len(raw.y), spec, num_test_rows=num_test_rows)
    uses_official = raw.official_test is not None and spec.test_fraction is None

    rows = np.arange(len(raw.y), dtype=np.int64)
    rest, test = (rows, None) if uses_official else draw(rows, raw.y, sizes.test, spec.split_seed)
    train, validation = draw(rest, raw.y, sizes.validation, spec.split_seed)
    limited, _ = draw(train, raw.y, len(train) - sizes.train, spec.split_seed)
    return Splits(limited, validation, test)


def _split_groups(raw: "RawData", groups: "NDArray[np.object_]", spec: SplitSpec) -> Splits:
    import numpy as np

    assert raw.info.group_sizes is not None, "a set whose rows are of groups says which"
    assigned = assign_groups(raw.info.group_sizes, spec)
    split_of_row = np.array([assigned[group] for group in groups], dtype=object)
    train, validation, test = (np.flatnonzero(split_of_row == name).astype(np.int64) for name in SPLITS)
    size = group_split_sizes(raw.info.group_sizes, spec).train
    return Splits(draw(train, raw.y, len(train) - size, spec.split_seed)[0], validation, test)


def draw(
    rows: "NDArray[np.int64]", y: "NDArray[np.generic]", num_drawn: int, seed: int
) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """Split `rows` into those that stay and `num_drawn` that are drawn, in the classes' proportions if `y` are classes.

    Args:
        rows: Row numbers.
        y: Class labels as whole numbers, or targets that are none, of all rows.
        num_drawn: How many to draw.
        seed: The same seed draws the same.
    """
    import numpy as np
    from sklearn.model_selection import train_test_split

    if num_drawn == 0:
        return rows, rows[:0]
    if num_drawn == len(rows):
        return rows[:0], rows
    labels = y[rows]
    stratify = None
    if np.issubdtype(labels.dtype, np.integer):
        counts = np.unique(labels, return_counts=True)[1]
        # With fewer rows on one side than classes, shares cannot be kept: scikit-learn refuses, and we draw without
        # them.
        if counts.min() >= 2 and min(num_drawn, len(rows) - num_drawn) >= len(counts):
            stratify = labels
    stay, drawn = train_test_split(rows, test_size=num_drawn, random_state=seed, stratify=stratify)
    return stay, drawn
