"""Which combination of a sweep is best so far."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from regcore.statistics.directions import Mode
from regcore.statistics.summaries import finite, mean, mean_interval

Name = TypeVar("Name", bound=str)


def rank(
    candidates: Mapping[Name, Sequence[float | None]], mode: Mode, *, resplit_ratio: float | None = None
) -> list[tuple[Name, dict[str, Any]]]:
    """Candidates from best to last by the mean over seeds, each with `{mean, low, high, num, num_missing}`.

    One that lacks a value for a seed comes behind all that have every value: a mean over the seeds that went well
    would be too good. One without any value comes last. Of equals the earlier one comes first.

    Args:
        candidates: The objective with each seed; None where it is not known, or not yet.
        mode: Which way it is better.
        resplit_ratio: Where each seed also draws its own splits, see `Resplits.ratio`.
    """
    sign = 1 if mode == "min" else -1

    def order(name: Name) -> tuple[bool, bool, float]:
        values = candidates[name]
        kept = finite(values)
        return not len(kept), len(kept) < len(values), sign * mean(kept) if len(kept) else 0.0

    ranked = []
    for name in sorted(candidates, key=order):
        summary = mean_interval(candidates[name], resplit_ratio)
        ranked.append((name, {"mean": summary.pop("value"), **summary}))
    return ranked
