"""The noise of a difference that comes from the choice of test rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from regcore.study.statistics.noise import Part
from regcore.study.statistics.summaries import variance_of_mean

_FEWEST_ROWS: Final = 2


@dataclass(frozen=True)
class RowNoise:
    """The rows' part of a difference's variance, for two questions.

    Attributes:
        fixed: For the difference between these trained networks.
        beside_seeds: For the difference between methods, to add to the variance between seeds; without the interaction
            of seeds and rows, which that variance contains already.
    """

    fixed: Sequence[Part]
    beside_seeds: Sequence[Part]


def shared_row_noise(baseline: NDArray[np.float64], group: NDArray[np.float64], *, paired: bool) -> RowNoise | None:
    """For groups tested on the same rows: common effects of a row, such as being hard, cancel.

    S²_D / N with D the difference per row, averaged over seeds: the variance of a paired bootstrap over rows, without
    drawing.

    Args:
        baseline: Each row's contribution to the metric, (members, N).
        group: The same of the other group, (members, N).
        paired: Whether member k of one is the partner of member k of the other.

    Returns:
        None for a single row.
    """
    num_rows = baseline.shape[1]
    if num_rows < _FEWEST_ROWS:
        return None
    interaction = _interaction(group - baseline) if paired else _interaction(baseline) + _interaction(group)
    floor = _floor(baseline) + _floor(group)
    return _row_noise([(group.mean(axis=0) - baseline.mean(axis=0), interaction, floor)])


def separate_row_noise(baseline: NDArray[np.float64], group: NDArray[np.float64]) -> RowNoise | None:
    """For groups tested on different rows, assumed independent. Shared rows make this wider than necessary.

    Args:
        baseline: Each row's part of the metric, (members, rows of the baseline).
        group: The same of the other group, (members, rows of the group).

    Returns:
        None for a single row.
    """
    if min(baseline.shape[1], group.shape[1]) < _FEWEST_ROWS:
        return None
    return _row_noise([(side.mean(axis=0), _interaction(side), _floor(side)) for side in (baseline, group)])


def is_right_or_wrong(rows: NDArray[np.float64]) -> bool:
    """Whether the rows are 0 or 1, as for accuracy."""
    return bool(np.isin(rows, (0.0, 1.0)).all())


def _row_noise(sides: Sequence[tuple[NDArray[np.float64], float, float]]) -> RowNoise:
    """From each group's mean over seeds (N,), the variance of its interaction, and its least variance."""
    fixed, beside_seeds = [], []
    for means, interaction, floor in sides:
        variance = variance_of_mean(means)
        rest = variance - interaction if math.isfinite(interaction) else variance
        fixed.append(Part(max(variance, floor), len(means) - 1))
        beside_seeds.append(Part(max(rest, 0.0), len(means) - 1))
    return RowNoise(fixed, beside_seeds)


def _interaction(rows: NDArray[np.float64]) -> float:
    """σ_c² / nN: the interaction of seeds and rows in the variance of the mean; 0 if there is only one member.

    Args:
        rows: (n, N).
    """
    num_members, num_rows = rows.shape
    if num_members == 1:
        return 0.0
    residuals = rows - rows.mean(axis=0) - rows.mean(axis=1, keepdims=True) + rows.mean()
    degrees_of_freedom: int = (num_members - 1) * (num_rows - 1)
    return float(np.square(residuals).sum()) / degrees_of_freedom / rows.size


def _floor(rows: NDArray[np.float64]) -> float:
    """The least variance of an accuracy: 1 / (N + 2)², as if one more row were right and one more wrong.

    Without it, groups with equal counts would seem to have no noise. Source: Agresti & Caffo 2000, Simple
    and Effective Confidence Intervals for Proportions and Differences of Proportions.
    """
    return (1 / (rows.shape[1] + 2)) ** 2 if is_right_or_wrong(rows) else 0.0
