"""A metric of one split, with a number for every row whose mean it is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Score:
    """A metric of one split.

    Attributes:
        value: NaN if it is undefined.
        rows: Numbers whose mean it is, (N,).
    """

    value: float
    rows: Floats

    @classmethod
    def undefined(cls, num_rows: int) -> "Score":
        """Without a value."""
        return cls(float("nan"), np.full(num_rows, np.nan))

    @classmethod
    def mean_of(cls, rows: NDArray[Any]) -> "Score":
        """The plain mean of a number for each row."""
        return cls(float(rows.mean(dtype=np.float64)), np.asarray(rows, np.float64))
