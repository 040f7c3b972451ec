"""Which rows of the user's own table are in which split."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regcore.data.split import Splits, SplitSizes, draw, split_sizes
from regcore.data.tables.groups import SPLITS, assign_groups
from regcore.errors import FieldError, SpecError

DRAWN = "drawn"
"""What `roles` says of a row whose split is not fixed."""


@dataclass(frozen=True)
class Fractions:
    """How the rows that are drawn are split: a spec's `data`, without the splits that were handed in."""

    test_fraction: float
    validation_fraction: float
    split_seed: int
    train_limit: int | None


def split_rows(
    y: NDArray[Any], data: Any, *, roles: NDArray[np.object_] | None, groups: NDArray[np.object_] | None
) -> Splits:
    """Places of each split in `y`.

    Args:
        y: Class numbers as int64, by which draws are stratified, or numbers, (N,).
        data: The spec's `data`.
        roles: The split of each row, or `DRAWN`; None if all are drawn.
        groups: The group of each row; None if rows stand for themselves.

    Raises:
        SpecError: There are too few groups, or rows of one were handed in for several splits.
    """
    places = np.arange(len(y), dtype=np.int64)
    fixed = {name: places[:0] if roles is None else places[roles == name] for name in SPLITS}
    drawn = places if roles is None else places[roles == DRAWN]
    fractions = Fractions(
        0 if len(fixed["test"]) else data.test_fraction,
        0 if len(fixed["validation"]) else data.validation_fraction,
        data.split_seed,
        data.train_limit,
    )
    if groups is not None:
        _check_groups(groups, fixed, drawn)
    parts = _by_groups(drawn, groups, fractions) if groups is not None else _by_fractions(drawn, y, fractions)
    train, validation, test = (np.concatenate([fixed[name], parts[name]]) for name in SPLITS)
    if data.train_limit is not None and len(train) > data.train_limit:
        train, _ = draw(train, y, len(train) - data.train_limit, data.split_seed)
    return Splits(train, validation, test)


def sizes_of(splits: Splits) -> SplitSizes:
    """Rows of each split."""
    assert splits.test is not None, "own tables have no official test split"
    return SplitSizes(len(splits.train), len(splits.validation), len(splits.test))


def _by_fractions(drawn: NDArray[np.int64], y: NDArray[Any], fractions: Fractions) -> dict[str, NDArray[np.int64]]:
    sizes = split_sizes(len(drawn), fractions)
    rest, test = draw(drawn, y, sizes.test, fractions.split_seed)
    _share_small_classes(rest, test, y, num_splits=1 + (sizes.validation > 0))
    train, validation = draw(rest, y, sizes.validation, fractions.split_seed)
    _share_small_classes(train, validation, y, num_splits=1)
    return {"train": train, "validation": validation, "test": test}


def _share_small_classes(
    stay: NDArray[np.int64], drawn: NDArray[np.int64], y: NDArray[Any], *, num_splits: int
) -> None:
    """Exchange rows, in place, until every class that has rows enough is on both sides.

    A stratified draw rounds, and so may take no row of a small class, or all.

    Args:
        stay: Places of the rows that were not drawn.
        drawn: Those that were.
        y: Class numbers, or numbers, which have no classes.
        num_splits: What `stay` is for: so many of a class's rows should be there.
    """
    if not len(drawn) or not len(stay) or not np.issubdtype(y.dtype, np.integer):
        return
    num_classes = int(y.max()) + 1
    staying, taken = (np.bincount(y[rows], minlength=num_classes) for rows in (stay, drawn))
    for label in np.flatnonzero((taken == 0) & (staying > num_splits)).tolist():
        _exchange(stay, drawn, y, label)
    for label in np.flatnonzero((staying < num_splits) & (taken > 1)).tolist():
        for _ in range(min(num_splits - staying[label], taken[label] - 1)):
            _exchange(drawn, stay, y, label)


def _exchange(source: NDArray[np.int64], target: NDArray[np.int64], y: NDArray[Any], label: int) -> None:
    """Swap a row of this class for one of the class that is the most frequent in the target, if that has several."""
    counts = np.bincount(y[target])
    if counts.max() < 2:
        return
    own = np.flatnonzero(y[source] == label)[0]
    other = np.flatnonzero(y[target] == counts.argmax())[0]
    source[own], target[other] = target[other], source[own]


def _check_groups(
    groups: NDArray[np.object_], fixed: Mapping[str, NDArray[np.int64]], drawn: NDArray[np.int64]
) -> None:
    """Rows that were handed in as validation or test rows must be of other groups than those that are split."""
    seen = {"x": set(groups[drawn])}
    for name, places in fixed.items():
        for other, known in seen.items():
            both = sorted(known & set(groups[places]))
            if both:
                message = (
                    f"{len(both)} group(s) of data.group_column have rows in {other} and in {name}, such as "
                    f"{both[0]!r}. Hand in rows of other groups, or let fractions draw the splits."
                )
                raise SpecError([FieldError("/data/group_column", "groups_straddle", message)])
        seen[name] = set(groups[places])


def _by_groups(
    drawn: NDArray[np.int64], groups: NDArray[np.object_], fractions: Fractions
) -> dict[str, NDArray[np.int64]]:
    names, codes = np.unique(groups[drawn].astype(str), return_inverse=True)
    counts = np.bincount(codes, minlength=len(names))
    assigned = assign_groups(dict(zip(names.tolist(), counts.tolist(), strict=True)), fractions)
    split_of_row = np.array([assigned[name] for name in names.tolist()], dtype=object)[codes]
    return {name: drawn[split_of_row == name] for name in SPLITS}
