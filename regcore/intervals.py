"""95 % intervals: Wilson's for a proportion, the percentile bootstrap for everything else."""

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Z_95: Final = 1.959963984540054
NUM_RESAMPLES: Final = 1000
_MAX_DRAWS_AT_ONCE: Final = 4_000_000
_MAX_KEPT_WEIGHTS: Final = 4_000_000


def wilson(num_hits: float, num_rows: float) -> tuple[float, float]:
    """The score interval of a proportion: it stays in [0, 1] and is not empty even at 0 and 1.

    Source: Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference.
    """
    share = num_hits / num_rows
    denominator = 1 + Z_95**2 / num_rows
    centre = (share + Z_95**2 / (2 * num_rows)) / denominator
    half = Z_95 * math.sqrt(share * (1 - share) / num_rows + Z_95**2 / (4 * num_rows**2)) / denominator
    # At 0 and 1 the bound is the proportion itself; rounding must not move it outside.
    low = 0.0 if num_hits == 0 else centre - half
    high = 1.0 if num_hits == num_rows else centre + half
    return low, high


def share_interval(value: float, rows: NDArray[np.float64], most_rows: float) -> tuple[float, float]:
    """The interval of a number between 0 and 1 that is no proportion: Wilson's, of as many rows as it is worth.

    n = v (1 − v) / variance, at most `most_rows`

    For a proportion that is the number of rows. A bootstrap would take a thousand times as long, and has no width where
    every row is right.

    Args:
        value: The number.
        rows: Numbers whose mean it is, (N,); their spread over √N is its standard error.
        most_rows: The most rows that it can be worth, such as those of a rare class.

    Source: Korn & Graubard 1998, Confidence Intervals for Proportions With Small Expected Number of Positive Counts
    Estimated From Survey Data.
    """
    if not math.isfinite(value):
        return math.nan, math.nan
    variance, binomial = float(rows.var()) / len(rows), value * (1 - value)
    worth = min(binomial / variance, most_rows) if variance > 0 and binomial > 0 else most_rows
    return wilson(value * worth, worth)


def bootstrap(
    columns: NDArray[np.float64],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    seed: int,
) -> NDArray[np.float64]:
    """Values of a statistic over rows drawn with replacement.

    Args:
        columns: The values to average, (rows, columns).
        statistic: From column means (resamples, columns) to values (resamples,).
        seed: The same seed draws the same rows.

    Returns:
        (NUM_RESAMPLES,).

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap.
    """
    num_rows = len(columns)
    if num_rows * NUM_RESAMPLES <= _MAX_KEPT_WEIGHTS and np.isfinite(columns).all():
        return statistic(_resample_weights(num_rows, seed) @ columns)
    return statistic(np.concatenate(list(_resampled_means(columns, seed))))


@lru_cache(maxsize=3)
def _resample_weights(num_rows: int, seed: int) -> NDArray[np.float64]:
    """The weight of each row in each resample's mean, (NUM_RESAMPLES, rows).

    Cached for the splits of one run: members of a training pass share their rows, and so their resamples.
    """
    drawn = np.random.default_rng(seed).integers(num_rows, size=(NUM_RESAMPLES, num_rows))
    cells = drawn + num_rows * np.arange(NUM_RESAMPLES)[:, None]
    counts = np.bincount(cells.ravel(), minlength=NUM_RESAMPLES * num_rows)
    return counts.reshape(NUM_RESAMPLES, num_rows) / num_rows


def _resampled_means(columns: NDArray[np.float64], seed: int) -> Iterator[NDArray[np.float64]]:
    num_rows = len(columns)
    rng = np.random.default_rng(seed)
    # In blocks, so that a large split does not need a thousand resamples in memory at once.
    block = max(1, _MAX_DRAWS_AT_ONCE // num_rows)
    for first in range(0, NUM_RESAMPLES, block):
        drawn = rng.integers(num_rows, size=(min(block, NUM_RESAMPLES - first), num_rows))
        yield np.stack([column[drawn].mean(axis=1) for column in columns.T], axis=1)


def percentile_interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of bootstrap values; NaN where any of them is not finite."""
    if not np.isfinite(values).all():
        return math.nan, math.nan
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def with_interval(value: float, interval: tuple[float, float]) -> dict[str, Any]:
    """`{value, low, high}`, as in the report."""
    return {"value": value, "low": interval[0], "high": interval[1]}
