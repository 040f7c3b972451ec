"""Comparisons of groups of jobs: differences with p corrected for their number, and a verdict on each."""

from collections.abc import Sequence
from typing import Any, Final

from regcore.errors import FieldError, SpecError
from regcore.metrics import Mode
from regcore.study import Verdict
from regcore.study.statistics.differences import Difference, differ
from regcore.study.statistics.directions import mode_of
from regcore.study.statistics.groups import Group
from regcore.study.statistics.noise import LEVEL
from regcore.study.statistics.summaries import mean_interval

ONLY_UNCORRECTED: Final = "Alone this difference would count; as one of {num} comparisons it does not."
SEEDS_ALONE: Final = (
    "By the noise of training alone this difference would count. Without that of the rows it is not claimed."
)
_FEWEST_GROUPS: Final = 2


def compare(
    groups: Sequence[Group],
    metric: str,
    mode: Mode | None = None,
    *,
    baseline: str | None = None,
    resplit_ratio: float | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Every pair of groups, the earlier one the baseline; or every other group with one of them.

    A verdict is `helps` or `hurts` if p, corrected for all pairs, is below 5 %. So if nothing makes a difference, at
    most one comparison in twenty has any verdict but `no_measurable_effect`. That is also the verdict if the rows'
    noise is unknown, because the noise of training alone is not enough evidence. The interval is that of its pair,
    uncorrected. Groups that were chosen by this metric (each variant at its best `validation/loss`) look better than
    they are: choose on validation and compare on test.

    Args:
        groups: Two or more, of different names.
        metric: Its name, as `test/accuracy`.
        mode: Which way is better; None for the metric's own.
        baseline: The name of the group to compare each other one with; None for every pair.
        resplit_ratio: If each seed also draws its own splits, see `Resplits.ratio`.
        notes: Notes that apply to every difference.

    Returns:
        `{metric, mode, groups: [{name, num, num_missing, mean, low, high}], differences, correction: "holm"}`, with
        for each difference `{group, baseline, difference: {value, low, high}, p_value, p_value_corrected, num_pairs,
        paired, standard_error: {seeds, rows}, tests: {mcnemar: [{job_ids, num_only_baseline_right,
        num_only_group_right, num_rows, p_value}] or None}, verdict, note}`. What is not known is None.

    Raises:
        SpecError: Fewer than two groups, two of one name, or a metric without a direction and no mode.
    """
    _check(groups)
    mode = mode or mode_of(metric)
    if baseline is None:
        pairs = [(first, group) for last, group in enumerate(groups) for first in groups[:last]]
    else:
        (reference,) = (group for group in groups if group.name == baseline)
        pairs = [(reference, group) for group in groups if group is not reference]
    return {
        "metric": metric,
        "mode": mode,
        "groups": [describe(group, resplit_ratio) for group in groups],
        "differences": [
            {"group": group.name, "baseline": first.name, "difference": _interval_of(difference), **judgement}
            for (first, group), (difference, judgement) in zip(
                pairs, judge(pairs, mode, resplit_ratio=resplit_ratio, notes=notes), strict=True
            )
        ],
        "correction": "holm",
    }


def judge(
    pairs: Sequence[tuple[Group, Group]],
    mode: Mode,
    *,
    resplit_ratio: float | None = None,
    notes: Sequence[str] = (),
) -> list[tuple[Difference, dict[str, Any]]]:
    """The difference of each (baseline, group), judged as one of them all.

    Returns:
        For each pair, with `{p_value, p_value_corrected, num_pairs, paired, standard_error, tests, verdict, note}`.
    """
    differences = [differ(baseline, group, resplit_ratio=resplit_ratio) for baseline, group in pairs]
    corrected = holm([difference.p_value for difference in differences])
    num_tests = sum(p is not None for p in corrected)
    return [
        (difference, _judgement(difference, p, mode, num_tests, notes))
        for difference, p in zip(differences, corrected, strict=True)
    ]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Corrected p-values: the chance that any true null's falls below α is at most α, however the tests depend.

    The k-th smallest of m becomes max over j ≤ k of min(1, (m − j + 1) · p₍ⱼ₎).

    Args:
        p_values: None for a pair that was not tested, which does not count.

    Source: Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure.
    """
    tested = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * p))
        corrected[place] = largest
    return corrected


def describe(group: Group, resplit_ratio: float | None = None) -> dict[str, Any]:
    """`{name, num, num_missing, mean, low, high}`, the interval over seeds."""
    summary = mean_interval((member.value for member in group.members), resplit_ratio)
    return {"name": group.name, "mean": summary.pop("value"), **summary}


def _judgement(
    difference: Difference, corrected: float | None, mode: Mode, num_tests: int, common: Sequence[str]
) -> dict[str, Any]:
    notes = list(difference.notes)
    if difference.p_value is not None and corrected is not None and difference.p_value < LEVEL <= corrected:
        notes.append(ONLY_UNCORRECTED.format(num=num_tests))
    verdict = _verdict(difference.value, corrected, mode)
    if verdict != "no_measurable_effect" and not difference.holds_rows:
        verdict = "no_measurable_effect"
        notes.append(SEEDS_ALONE)
    return {
        "p_value": difference.p_value,
        "p_value_corrected": corrected,
        "num_pairs": difference.num_pairs,
        "paired": difference.paired,
        "standard_error": difference.noise,
        "tests": {"mcnemar": difference.mcnemar},
        "verdict": verdict,
        "note": " ".join([*notes, *common]) or None,
    }


def _verdict(value: float | None, corrected: float | None, mode: Mode) -> Verdict:
    if value is None or corrected is None or corrected >= LEVEL:
        return "no_measurable_effect"
    return "helps" if (value < 0) == (mode == "min") else "hurts"


def _interval_of(difference: Difference) -> dict[str, float | None]:
    return {"value": difference.value, "low": difference.low, "high": difference.high}


def _check(groups: Sequence[Group]) -> None:
    if len(groups) < _FEWEST_GROUPS:
        message = f"expected two groups or more to compare; received {len(groups)}"
        raise SpecError([FieldError("/groups", "too_few_groups", message)])
    names: set[str] = set()
    for place, group in enumerate(groups):
        if group.name in names:
            message = f"expected a name of its own for each group; received {group.name!r} twice"
            raise SpecError([FieldError(f"/groups/{place}/name", "duplicate_name", message)])
        names.add(group.name)
