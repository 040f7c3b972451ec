"""Metrics by group of rows, of the splits that are held out: whether a network fails for some patients, sites or users.

Only metrics that are means over rows are told: a part of the rows has them too, and a group of one class has no AUROC.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from regcore.data.row_groups import RowGroups
from regcore.intervals import wilson
from regcore.metrics import Metric
from regcore.tasks.scores.split import SplitEvaluation

MAX_LISTED_GROUPS: Final = 100
"""The most groups of a split that are listed."""
_FEWEST_FOR_A_SPREAD: Final = 5
"""Rows of a group from which their spread says how far its mean may be off."""
_HELD_OUT: Final = ("validation", "test")


def by_group(
    evaluations: Mapping[str, SplitEvaluation], metrics: Mapping[str, Metric], groups: RowGroups | None
) -> dict[str, Any] | None:
    """`{column, splits: {split: {num_groups, num_left_out, groups: [{group, num_rows, metrics}]}}}`; None without any.

    A split's groups come by size, the largest first; of very many only those are listed. Each metric is
    `{value, low, high}`: 95 % intervals of what other rows of the same group would give, Wilson's for a share and
    Student's for other means, which need several rows.

    Args:
        evaluations: By split.
        metrics: Of the task, by name.
        groups: Of the rows.
    """
    if groups is None:
        return None
    splits = {name: evaluations[name] for name in _HELD_OUT if name in evaluations and name in groups.numbers}
    return {
        "column": groups.column,
        "splits": {name: _listed(split, metrics, groups.names, groups.numbers[name]) for name, split in splits.items()},
    }


def _listed(
    split: SplitEvaluation, metrics: Mapping[str, Metric], names: tuple[str, ...], numbers: NDArray[np.int64]
) -> dict[str, Any]:
    sizes = np.bincount(numbers, minlength=len(names))
    present = np.flatnonzero(sizes)
    shown = present[np.argsort(-sizes[present], kind="stable")][:MAX_LISTED_GROUPS]
    cells = {
        name: _cells(np.asarray(rows, np.float64), metrics[name], numbers, sizes)
        for name, rows in split.rows().items()
        if metrics[name].is_row_mean
    }
    return {
        "num_groups": len(present),
        "num_left_out": len(present) - len(shown),
        "groups": [
            {
                "group": names[k],
                "num_rows": int(sizes[k]),
                "metrics": {
                    name: dict(zip(("value", "low", "high"), own[:, k].tolist(), strict=True))
                    for name, own in cells.items()
                },
            }
            for k in shown.tolist()
        ],
    }


def _cells(
    rows: NDArray[np.float64], metric: Metric, numbers: NDArray[np.int64], sizes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The mean of each group's rows, and the ends of its interval, (3, groups); NaN where there is none."""
    from scipy.special import stdtrit  # takes a while to import, and few runs have groups

    counts = np.maximum(sizes, 1)
    sums = np.bincount(numbers, rows, len(sizes))
    means = sums / counts
    if metric.is_share:
        ends = [wilson(hits, count) for hits, count in zip(sums.tolist(), counts.tolist(), strict=True)]
        return np.stack([means, *np.array(ends).T])
    with np.errstate(over="ignore", invalid="ignore"):  # a group with a row beyond all numbers has no interval
        squares = np.bincount(numbers, np.square(rows - means[numbers]), len(sizes))
    has_spread = sizes >= _FEWEST_FOR_A_SPREAD
    freedom = np.where(has_spread, sizes - 1, 1)
    half = np.where(has_spread, stdtrit(freedom, 0.975) * np.sqrt(squares / freedom / counts), math.nan)
    return np.stack([means, np.maximum(means - half, metric.least), means + half])
