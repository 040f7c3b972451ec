"""The ranking of a sweep's combinations."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from regcore.metrics import Mode
from regcore.study.statistics.summaries import finite, mean, mean_interval

Name = TypeVar("Name", bound=str)

_OUTCOMES = ("open", "halved", "lost")


@dataclass(frozen=True)
class Standing:
    """How far a candidate came; it decides the rank of a candidate without a value.

    Attributes:
        outcome: `open`: it may still get a value. `halved`: others were better at a rung. `lost`: a member failed, was
            cancelled, or ended without the metric.
        epoch: The last rung that it was judged at; 0 for none.
        rung_values: Its members' metrics at that rung.
    """

    outcome: Literal["open", "halved", "lost"] = "open"
    epoch: int = 0
    rung_values: Sequence[float | None] = ()


def rank(
    candidates: Mapping[Name, Sequence[float | None]],
    mode: Mode,
    *,
    resplit_ratio: float | None = None,
    standings: Mapping[Name, Standing] | None = None,
) -> list[tuple[Name, dict[str, Any]]]:
    """Candidates from best to last by the mean over seeds, each with `{mean, low, high, num, num_missing}`.

    A candidate without a value for some seed comes after all complete ones, because the mean over the successful seeds
    would be too good. Then come candidates without any value: first those that may still get one, then halved ones,
    then failed or cancelled ones; among these, first those that came further, then those that were better there. Of
    equals the earlier one comes first.

    Args:
        candidates: The objective for each seed; None if it is unknown, or not yet known.
        mode: Which way is better.
        resplit_ratio: If each seed also draws its own splits, see `Resplits.ratio`.
        standings: How far each came.
    """
    sign = 1 if mode == "min" else -1
    known = standings or {}

    def cost(values: Sequence[float | None]) -> float:
        kept = finite(values)
        return sign * mean(kept) if len(kept) == len(values) > 0 else math.inf

    def order(name: Name) -> tuple[bool, bool, float, int, int, float]:
        values, standing = candidates[name], known.get(name, Standing())
        kept = finite(values)
        how_far = (_OUTCOMES.index(standing.outcome), -standing.epoch, cost(standing.rung_values))
        if not len(kept):
            return True, True, 0.0, *how_far
        return False, len(kept) < len(values), sign * mean(kept), 0, 0, 0.0

    ranked = []
    for name in sorted(candidates, key=order):
        summary = mean_interval(candidates[name], resplit_ratio)
        ranked.append((name, {"mean": summary.pop("value"), **summary}))
    return ranked
