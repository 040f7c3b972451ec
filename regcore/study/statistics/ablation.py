"""Ablation: leave out each regularizer in turn, to measure what it contributes."""

from collections.abc import Sequence
from typing import Any

from regcore.metrics import Mode
from regcore.study.statistics.comparisons import describe, judge
from regcore.study.statistics.directions import mode_of
from regcore.study.statistics.groups import Group


def ablate(
    full: Group,
    without: Sequence[Group],
    metric: str,
    mode: Mode | None = None,
    *,
    resplit_ratio: float | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """What each regularizer contributes, in the presence of the others.

    contribution = metric(without it) − metric(full) if lower is better, and the negative if higher is: positive if it
    helps. p is corrected (Holm) over the regularizers, each of which is compared only with the full spec. Two
    regularizers that can replace each other may both contribute nothing.

    Args:
        full: All regularizers.
        without: For each regularizer the group without it, named by the regularizer.
        metric: Its name, as `test/loss`.
        mode: Which way is better; None for the metric's own.
        resplit_ratio: If each seed also draws its own splits, see `Resplits.ratio`.
        notes: Notes that apply to every contribution.

    Returns:
        `{metric, mode, full: {name, num, num_missing, mean, low, high}, contributions, correction: "holm"}`, with for
        each regularizer `{regularizer, contribution: {value, low, high}, without: {num, num_missing, mean, low, high},
        p_value, p_value_corrected, num_pairs, paired, standard_error, tests, verdict, note}` as `compare` has them,
        the group without as the baseline. `helps` says that the regularizer does.

    Raises:
        SpecError: A metric without a direction, and no mode.
    """
    mode = mode or mode_of(metric)
    sign = -1 if mode == "min" else 1
    judged = judge([(group, full) for group in without], mode, resplit_ratio=resplit_ratio, notes=notes)
    contributions = []
    for group, (difference, judgement) in zip(without, judged, strict=True):
        ends = [_times(sign, end) for end in (difference.low, difference.high)]
        low, high = ends if sign > 0 else reversed(ends)
        described = describe(group, resplit_ratio)
        contributions.append(
            {
                "regularizer": described.pop("name"),
                "contribution": {"value": _times(sign, difference.value), "low": low, "high": high},
                "without": described,
                **judgement,
            }
        )
    return {
        "metric": metric,
        "mode": mode,
        "full": describe(full, resplit_ratio),
        "contributions": contributions,
        "correction": "holm",
    }


def _times(sign: int, value: float | None) -> float | None:
    return None if value is None else 0.0 + sign * value  # and no −0
