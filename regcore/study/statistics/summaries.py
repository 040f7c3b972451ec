"""Means over seeds."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regcore.study.statistics.noise import Part, half_width
from regcore.study.statistics.resplits import Resplits


def mean_interval(values: Iterable[float | None], resplit_ratio: float | None = None) -> dict[str, Any]:
    """The mean over seeds with its 95 % interval by Student's t.

    mean ± t(n − 1) · s / √n

    The interval covers only the noise of training, not that other test rows would shift all seeds together. With few
    seeds it has to be wide (with three, 2.5 standard deviations to each side); a bootstrap over three values would be
    narrow and wrong.

    Args:
        values: One for each member; None and non-finite values are left out.
        resplit_ratio: If each seed also draws its own splits, see `Resplits.ratio`.

    Returns:
        `{value, low, high, num, num_missing}`; `low` and `high` are None with fewer than two values, `value` without
        any.

    Source: Student 1908, The Probable Error of a Mean.
    """
    values = list(values)
    kept = finite(values)
    low = high = None
    if len(kept) > 1:
        half = half_width([Part(variance_of_mean(kept, resplit_ratio), len(kept) - 1)])
        low, high = number_or_none(mean(kept) - half), number_or_none(mean(kept) + half)
    return {
        "value": number_or_none(mean(kept)) if len(kept) else None,
        "low": low,
        "high": high,
        "num": len(kept),
        "num_missing": len(values) - len(kept),
    }


def summarize(members: Sequence[Mapping[str, Any]], resplits: Resplits | None = None) -> dict[str, Any]:
    """`mean_interval` of every number of the members, in the same nesting.

    Args:
        members: Nested alike, such as `{"linear1": {"l1": 3.5, "l2": 0.7}}`; a name that a member lacks is a missing
            value.
        resplits: The splits, if each seed draws its own.
    """
    summary: dict[str, Any] = {}
    for name in dict.fromkeys(name for member in members for name in member):
        values = [member.get(name) for member in members]
        if any(isinstance(value, Mapping) for value in values):
            summary[name] = summarize([value if isinstance(value, Mapping) else {} for value in values], resplits)
        else:
            summary[name] = mean_interval(values, resplits.ratio(name) if resplits else None)
    return summary


def finite(values: Iterable[float | None]) -> NDArray[np.float64]:
    """The finite numbers, (n,)."""
    return np.array([value for value in values if value is not None and math.isfinite(value)], np.float64)


def variance_of_mean(values: NDArray[np.float64], resplit_ratio: float | None = None) -> float:
    """s² / n of two or more values, or s² · (1/n + resplit_ratio); infinite if squares overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        variance = float(values.var(ddof=1)) * (1 / len(values) + (resplit_ratio or 0.0))
    return math.inf if math.isnan(variance) else variance


def number_or_none(value: float) -> float | None:
    """None for NaN and infinity, which JSON does not have."""
    return float(value) if math.isfinite(value) else None


def mean(values: NDArray[np.float64]) -> float:
    """The mean of one or more values; without their sum if that overflows."""
    with np.errstate(over="ignore"):
        found = float(values.mean())
    return found if math.isfinite(found) else float((values / len(values)).sum())
