"""Regularization paths: all metrics along one strength, and which strength to take."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from regcore.metrics import Mode
from regcore.study.statistics.directions import mode_of
from regcore.study.statistics.resplits import Resplits
from regcore.study.statistics.summaries import finite, mean, mean_interval, summarize, variance_of_mean

ONE_SEED: Final = "At the best value fewer than two seeds have the objective, so there is no standard error."
NO_DIRECTION: Final = "No end of this axis is known to regularize more, so there is no one-standard-error value."
INCOMPLETE: Final = "At every value some member has no objective; the best is among those values all the same."
NO_OBJECTIVE: Final = "No member has the objective."

_FEWEST_SEEDS: Final = 2


@dataclass(frozen=True)
class PathPoint:
    """One value on the axis.

    Attributes:
        value: The value on the axis.
        members: One for each seed, None if it failed or has not ended: `{metrics: {"validation/loss": …},
            generalization_gap, sparsity, norms: {layer: {norm: …}}, kkt_residual, l1_max}`, as a job's result has them.
            Every key may be absent; every number may be None.
    """

    value: float
    members: Sequence[Mapping[str, Any] | None]


def regularization_path(
    points: Sequence[PathPoint],
    metric: str,
    mode: Mode | None = None,
    *,
    stronger: Literal["larger", "smaller"] | None = "larger",
    resplits: Resplits | None = None,
) -> dict[str, Any]:
    """Means with intervals over seeds at every value, and the special values.

    - `best_value`: the best mean of the objective; of equals the strongest, or the smallest if the axis has no stronger
      end. A value at which a member failed or has not ended is taken only if there is no other, as in `rank`.
    - `one_standard_error_value`: the strongest value whose mean is worse than the best by at most the best one's
      standard error over seeds, s / √n: the simplest model that is as good as the best within the noise. Only for an
      axis with a stronger end.
    - `smallest_zero_value`: the smallest value at which no member has any weight left (sparsity 1).

    Args:
        points: In any order, each value once.
        metric: The objective, as `validation/loss`.
        mode: Which way is better; None for the metric's own.
        stronger: Which end of the axis regularizes more: `smaller` for early stopping's patience; None for neither.
        resplits: The splits, if each seed draws its own.

    Returns:
        `{objective: {metric, mode}, points, best_value, one_standard_error_value, smallest_zero_value,
        max_kkt_residual, l1_max, note}`, with for each point, by rising value, `{value, num, num_missing, metrics,
        norms, generalization_gap, sparsity, kkt_residual}`: `mean_interval` of each number, and of the residuals the
        largest. What is not known is None.

    Source: Breiman, Friedman, Olshen & Stone 1984, Classification and Regression Trees, §3.4.3; Hastie, Tibshirani &
    Friedman 2009, The Elements of Statistical Learning, §7.10.
    """
    mode = mode or mode_of(metric)
    points = sorted(points, key=lambda point: point.value)
    assert len({point.value for point in points}) == len(points), "each value once"
    best, one_standard_error, note = _choose(
        points, metric, mode, stronger, resplits.ratio(metric) if resplits else None
    )
    return {
        "objective": {"metric": metric, "mode": mode},
        "points": [_describe(point, resplits) for point in points],
        "best_value": best,
        "one_standard_error_value": one_standard_error,
        "smallest_zero_value": next((point.value for point in points if _has_no_weight_left(point)), None),
        "max_kkt_residual": _largest([member for point in points for member in point.members], "kkt_residual"),
        "l1_max": _largest([member for point in points for member in point.members], "l1_max"),
        "note": note,
    }


def _choose(
    points: Sequence[PathPoint], metric: str, mode: Mode, stronger: str | None, resplit_ratio: float | None
) -> tuple[float | None, float | None, str | None]:
    """The best value, the one-standard-error value, and a note on them."""
    objectives = {point.value: finite(_objectives(point, metric)) for point in points}
    complete = [point.value for point in points if 0 < len(point.members) == len(objectives[point.value])]
    candidates = complete or [value for value, kept in objectives.items() if len(kept)]
    if not candidates:
        return None, None, NO_OBJECTIVE
    direction = 1 if mode == "min" else -1
    strength = 1 if stronger == "larger" else -1  # of equals the smallest, if none is stronger
    costs = {value: direction * mean(objectives[value]) for value in candidates}
    best = min(candidates, key=lambda value: (costs[value], -strength * value))
    notes = [] if complete else [INCOMPLETE]
    if stronger is None:
        return best, None, " ".join([*notes, NO_DIRECTION])
    if len(objectives[best]) < _FEWEST_SEEDS:
        return best, None, " ".join([*notes, ONE_SEED])
    bound = costs[best] + math.sqrt(variance_of_mean(objectives[best], resplit_ratio))
    within = [value for value in candidates if costs[value] <= bound]
    return best, max(within, key=lambda value: strength * value), " ".join(notes) or None


def _describe(point: PathPoint, resplits: Resplits | None) -> dict[str, Any]:
    members = [member or {} for member in point.members]
    trees = {name: [member.get(name) or {} for member in members] for name in ("metrics", "norms")}
    numbers = {name: [member.get(name) for member in members] for name in ("generalization_gap", "sparsity")}
    return {
        "value": point.value,
        "num": sum(member is not None for member in point.members),
        "num_missing": sum(member is None for member in point.members),
        **{name: summarize(tree, resplits) for name, tree in trees.items()},
        **{name: mean_interval(values, resplits.ratio(name) if resplits else None) for name, values in numbers.items()},
        "kkt_residual": _largest(point.members, "kkt_residual"),
    }


def _objectives(point: PathPoint, metric: str) -> list[float | None]:
    members = [member or {} for member in point.members]
    return [(member.get("metrics") or {}).get(metric, member.get(metric)) for member in members]


def _has_no_weight_left(point: PathPoint) -> bool:
    return bool(point.members) and all(member is not None and member.get("sparsity") == 1 for member in point.members)


def _largest(members: Sequence[Mapping[str, Any] | None], name: str) -> float | None:
    """The largest known number; None if none is known."""
    values = finite((member or {}).get(name) for member in members)
    return float(values.max()) if len(values) else None
