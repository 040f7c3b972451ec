"""The difference between two groups of jobs, with all the noise that the data reveal."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from regcore.study.statistics.groups import Group, Matched, has_rows, match, rows_of, shared_rows_id, values_of
from regcore.study.statistics.mcnemar import Discordance
from regcore.study.statistics.noise import Part, half_width, p_value
from regcore.study.statistics.row_noise import RowNoise, is_right_or_wrong, separate_row_noise, shared_row_noise
from regcore.study.statistics.summaries import number_or_none, variance_of_mean

# Members that agree to float32's resolution count as equal: the rest is rounding, and does not measure the noise of
# training.
_RESOLUTION: Final = 1e-7

ONE_MEMBER_EACH: Final = (
    "One member in each group: the noise of training is not in the interval, so the verdict is about these "
    "trained networks and not about how they were trained. More seeds would tell."
)
ONE_MEMBER: Final = "One group has a single member: its noise of training is taken to be as large as the other group's."
NO_ROWS: Final = "The rows are not known: that other rows might give another difference is not in the interval."
OTHER_ROWS: Final = (
    "Members of one group were tested on different rows; where these overlap the interval is too narrow."
)
NO_NOISE: Final = "The members agree to the last digit: there is no noise to measure the difference by."
NO_VALUE: Final = "A group has no member with a value."


@dataclass(frozen=True)
class Difference:
    """group − baseline.

    Attributes:
        value: In the metric's unit; None if either group has no value.
        low: Lower end of the 95 % interval; None if the noise cannot be measured.
        high: The other end.
        p_value: Under no difference; None if there is no interval.
        num_pairs: Pairs of members with the same seed.
        paired: Whether the value is the mean over such pairs; otherwise it is the difference of the groups' means.
        noise: Standard errors by source, `{seeds, rows}`; None for a source that was not measured.
        holds_rows: Whether the interval includes the noise of the rows: it was measured, or is part of the seeds' noise
            because each seed drew its own rows.
        mcnemar: McNemar's test of each pair, if the same rows are counted as right or wrong.
        notes: What a reader must know to judge it.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    num_pairs: int = 0
    paired: bool = False
    noise: dict[str, float | None] = field(default_factory=lambda: {"seeds": None, "rows": None})
    holds_rows: bool = False
    mcnemar: list[dict[str, Any]] | None = None
    notes: tuple[str, ...] = ()


def differ(baseline: Group, group: Group, *, resplit_ratio: float | None = None) -> Difference:
    """group − baseline with a 95 % interval for both noises: of training, and of the choice of test rows.

    With seeds s and rows i, the differences of pairs are modelled as δ + aₛ + bᵢ + cₛᵢ, whose mean over n seeds and N
    rows has variance σₐ²/n + σ_b²/N + σ_c²/nN. The first and the last term are estimated together, by the variance
    between pairs (n − 1 degrees of freedom); the middle one by the variance between rows of the difference averaged
    over seeds, less its part of c. `noise.half_width` adds them up. The interval is never narrower than that for these
    trained networks, which has only the rows' noise.

    - Paired if `groups.match` finds partners; otherwise the groups' means, with Welch's variance and degrees of
    freedom.
    - One member in each group: only the rows' noise, and a note. For rows that are right or wrong it is McNemar's exact
    test.
    - One member in one group: its noise of training is assumed as large as the other group's, with a note.
    - Members that agree in every digit, without rows: no interval, because no noise can be measured.

    Args:
        baseline: The group to compare with.
        group: The group to compare.
        resplit_ratio: If each seed also draws its own splits, see `Resplits.ratio`. These share rows, so s²/n would
            understate the variance; it is s² · (1/n + ratio), which includes the rows' noise.

    Source: Searle, Casella & McCulloch 1992, Variance Components, §4 (the model); Welch 1947, The Generalization of
    `Student's' Problem; Nadeau & Bengio 2003, Inference for the Generalization Error (the ratio).
    """
    matched = match(baseline, group)
    if not matched.baseline or not matched.group:
        return Difference(notes=(NO_VALUE, *matched.notes))
    with np.errstate(over="ignore", invalid="ignore"):  # a loss of 1e200 has no variance, and gets no interval
        seeds = _seed_noise(matched, resplit_ratio)
        are_resplit = seeds is not None and resplit_ratio is not None
        rows = None if are_resplit else _row_noise(matched)
        value = float(values_of(matched.group).mean() - values_of(matched.baseline).mean())
        low, high, p = _interval(value, _scale(matched), seeds, rows)
    holds_rows = rows is not None or are_resplit
    discordances = _discordances(matched)
    if len(discordances) == 1 and seeds is None:  # exact, whereas the rows' variance is an approximation
        p, (low, high) = discordances[0].p_value(), discordances[0].interval()
    return Difference(
        value=number_or_none(value),
        low=number_or_none(low),
        high=number_or_none(high),
        p_value=number_or_none(p),
        num_pairs=len(matched.group) if matched.paired else 0,
        paired=matched.paired,
        noise={
            "seeds": _standard_error([seeds] if seeds else []),
            "rows": _standard_error(_relevant(seeds, rows)),
        },
        holds_rows=holds_rows,
        mcnemar=[
            {"job_ids": [left.job_id, right.job_id], **discordance.summary()}
            # Rows of all pairs, or of none.
            for left, right, discordance in zip(matched.baseline, matched.group, discordances, strict=False)
        ]
        or None,
        notes=(*_notes(matched, seeds, measured=math.isfinite(p), holds_rows=holds_rows), *matched.notes),
    )


def _seed_noise(matched: Matched, resplit_ratio: float | None) -> Part | None:
    """The variance between members; None if each group has only one."""
    ratio = resplit_ratio or 0.0
    baseline, group = values_of(matched.baseline), values_of(matched.group)
    rounding, least = _rounding_variance(matched), _RESOLUTION * _scale(matched)
    if matched.paired:
        num_pairs = len(group)
        if num_pairs == 1:
            return None
        return Part(_between(group - baseline, least, 2 * rounding) * (1 / num_pairs + ratio), num_pairs - 1)
    several = [side for side in (baseline, group) if len(side) > 1]
    if not several:
        return None
    if len(several) == 1:
        variance = _between(several[0], least, rounding) * (1 / len(baseline) + 1 / len(group) + 2 * ratio)
        return Part(variance, len(several[0]) - 1)
    parts = [Part(_between(side, least, rounding) * (1 / len(side) + ratio), len(side) - 1) for side in several]
    return Part(sum(part.variance for part in parts), _welch_degrees_of_freedom(parts))


def _between(values: NDArray[np.float64], least: float, rounding: float) -> float:
    """s², but at least the variance by `rounding`; 0 for values no further apart than `least`."""
    variance = variance_of_mean(values) * len(values) if float(np.ptp(values)) > least else 0.0
    return max(variance, rounding)


def _rounding_variance(matched: Matched) -> float:
    """1 / 12N² for an accuracy, which is a whole number of N rows; 0 for other metrics.

    Two or three seeds easily have equal counts, and would then seem to have no noise. Source: Sheppard 1898, On the
    Calculation of the most Probable Values of Frequency-Constants.
    """
    members = [*matched.baseline, *matched.group]
    if not has_rows(members) or not all(is_right_or_wrong(np.asarray(member.rows)) for member in members):
        return 0.0
    return max(1 / (12 * np.size(np.asarray(member.rows)) ** 2) for member in members)


def _welch_degrees_of_freedom(parts: Sequence[Part]) -> float:
    """(Σ vₖ)² / Σ (vₖ² / dfₖ), computed without overflow; the smallest of the groups' if nothing varies."""
    total = sum(part.variance for part in parts)
    if not 0 < total < math.inf:
        return min(part.degrees_of_freedom for part in parts)
    return 1 / sum((part.variance / total) ** 2 / part.degrees_of_freedom for part in parts)


def _row_noise(matched: Matched) -> RowNoise | None:
    """The variance between rows; None if it is unknown, or already part of the seeds' variance."""
    ids = [shared_rows_id(side) for side in (matched.baseline, matched.group)]
    if None in ids:
        return None
    baseline, group = rows_of(matched.baseline), rows_of(matched.group)
    if ids[0] != ids[1]:
        return separate_row_noise(baseline, group)
    return shared_row_noise(baseline, group, paired=matched.paired)


def _relevant(seeds: Part | None, rows: RowNoise | None) -> Sequence[Part]:
    if rows is None:
        return []
    return rows.fixed if seeds is None else rows.beside_seeds


def _interval(value: float, scale: float, seeds: Part | None, rows: RowNoise | None) -> tuple[float, float, float]:
    """low, high and p; NaN if the noise cannot be measured."""
    readings = [([seeds] if seeds else []) + list(_relevant(seeds, rows)), rows.fixed if rows else []]
    readings = [parts for parts in readings if sum(part.variance for part in parts) > 0]
    if not readings:
        is_equal = rows is not None and abs(value) <= _RESOLUTION * scale
        return (value, value, 1.0) if is_equal else (math.nan, math.nan, math.nan)
    half = max(half_width(parts) for parts in readings)
    return value - half, value + half, max(p_value(value, parts) for parts in readings)


def _discordances(matched: Matched) -> list[Discordance]:
    """The tests of all pairs, if each pair was tested on the same rows, right or wrong; otherwise none."""
    if not matched.paired and len(matched.baseline) + len(matched.group) > 2:
        return []
    couples = list(zip(matched.baseline, matched.group, strict=True))
    if any(shared_rows_id(couple) is None for couple in couples):
        return []
    rows = [rows_of(couple) for couple in couples]
    return [Discordance.of(*pair) for pair in rows] if all(is_right_or_wrong(pair) for pair in rows) else []


def _notes(matched: Matched, seeds: Part | None, *, measured: bool, holds_rows: bool) -> list[str]:
    notes = []
    if not measured:
        notes.append(NO_NOISE)
    if seeds is None:
        notes.append(ONE_MEMBER_EACH)
    elif min(len(matched.baseline), len(matched.group)) == 1:
        notes.append(ONE_MEMBER)
    if not holds_rows:
        sides = (matched.baseline, matched.group)
        differ_within = any(has_rows(side) and shared_rows_id(side) is None for side in sides)
        notes.append(OTHER_ROWS if differ_within else NO_ROWS)
    return notes


def _scale(matched: Matched) -> float:
    return float(np.abs([*values_of(matched.baseline), *values_of(matched.group)]).max())


def _standard_error(parts: Sequence[Part]) -> float | None:
    return number_or_none(math.sqrt(sum(part.variance for part in parts))) if parts else None
