"""The groups of rows that stay together, such as patients, as a run has them in its splits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class RowGroups:
    """Which group each row is of. No group has rows in two splits.

    Attributes:
        column: The column that says so, `data.group_column`.
        names: The groups, as spelled; "" is that of gaps.
        numbers: Of each row's group, a place in `names`, by split, (N,).
    """

    column: str
    names: tuple[str, ...]
    numbers: Mapping[str, NDArray[np.int64]]

    @classmethod
    def of(cls, column: str, groups: NDArray[Any], splits: Mapping[str, NDArray[np.int64]]) -> "RowGroups":
        """The groups of rows.

        Args:
            column: Its name.
            groups: Of all rows, as spelled, (N,).
            splits: Places of each split's rows in `groups`.
        """
        names, numbers = np.unique(groups.astype(str), return_inverse=True)
        return cls(column, tuple(names.tolist()), {name: numbers[places] for name, places in splits.items()})
