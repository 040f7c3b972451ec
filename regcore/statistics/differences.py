"""The difference between two groups of jobs, with all the noise that can be told from what is there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from regcore.statistics.groups import Group, Matched, has_rows, match, rows_of, shared_rows_id, values_of
from regcore.statistics.mcnemar import Discordance
from regcore.statistics.noise import Part, half_width, p_value
from regcore.statistics.row_noise import RowNoise, is_right_or_wrong, separate_row_noise, shared_row_noise
from regcore.statistics.summaries import number_or_none, variance_of_mean

# Members that agree to float32's resolution agree: what is left is rounding, and no measure of training's noise.
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
        low: End of the 95 % interval; None if there is nothing to measure noise by.
        high: The other end.
        p_value: That of no difference; None where the interval is.
        num_pairs: Members compared with one of the same seed.
        paired: Whether the value is the mean over such pairs, or else the difference of the groups' means.
        noise: Standard errors by source, `{seeds, rows}`; None where it is not measured.
        holds_rows: Whether the interval holds what other rows would make of the difference: their noise was measured,
            or is in that of the seeds since each drew its own.
        mcnemar: McNemar's test of each pair, where the same rows are counted right or wrong.
        notes: What a reader must know to trust it rightly.
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
    """group − baseline with a 95 % interval of both noises: of training, and of which rows happened to be tested.

    With seeds s and rows i, the differences of pairs are modelled as δ + aₛ + bᵢ + cₛᵢ, whose mean over n seeds and N
    rows has variance σₐ²/n + σ_b²/N + σ_c²/nN. The first and the last term are estimated together, by the variance
    between pairs (n − 1 degrees of freedom); the middle one by the variance between rows of the difference averaged
    over seeds, less the part of c in it. `noise.half_width` adds them up. The interval is never narrower than the one
    for these trained networks, which has the rows' noise alone.

    - Paired where `groups.match` finds partners; else the groups' means, with Welch's variance and degrees of freedom.
    - One member in each group: the rows' noise alone, and a note. On rows right or wrong it is McNemar's exact test.
    - One member in one group: its noise of training is taken to be as large as the other group's, and a note.
    - Members that agree in every digit and no rows: no interval, for there is nothing to measure by.

    Args:
        baseline: What is compared with.
        group: What is compared.
        resplit_ratio: Where each seed also draws its own splits, see `Resplits.ratio`. Those share rows, so s²/n would
            understate the variance; it is s² · (1/n + ratio), which holds the rows' noise already.

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
    if len(discordances) == 1 and seeds is None:  # exact, where the rows' variance is but nearly right
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
            # None of the pairs, or all of them.
            for left, right, discordance in zip(matched.baseline, matched.group, discordances, strict=False)
        ]
        or None,
        notes=(*_notes(matched, seeds, measured=math.isfinite(p), holds_rows=holds_rows), *matched.notes),
    )


def _seed_noise(matched: Matched, resplit_ratio: float | None) -> Part | None:
    """The variance between members; None where each group has but one."""
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
    """s², but no less than what `rounding` makes of it; 0 for values no further apart than `least`."""
    variance = variance_of_mean(values) * len(values) if float(np.ptp(values)) > least else 0.0
    return max(variance, rounding)


def _rounding_variance(matched: Matched) -> float:
    """1 / 12N² of an accuracy, which is a whole number of N rows, and 0 of any other metric.

    Two or three seeds easily count alike; their noise would then seem to be nothing. Source: Sheppard 1898, On the
    Calculation of the most Probable Values of Frequency-Constants.
    """
    members = [*matched.baseline, *matched.group]
    if not has_rows(members) or not all(is_right_or_wrong(np.asarray(member.rows)) for member in members):
        return 0.0
    return max(1 / (12 * np.size(np.asarray(member.rows)) ** 2) for member in members)


def _welch_degrees_of_freedom(parts: Sequence[Part]) -> float:
    """(Σ vₖ)² / Σ (vₖ² / dfₖ), for vₖ that scale out; the smallest of the groups' where nothing varies."""
    total = sum(part.variance for part in parts)
    if not 0 < total < math.inf:
        return min(part.degrees_of_freedom for part in parts)
    return 1 / sum((part.variance / total) ** 2 / part.degrees_of_freedom for part in parts)


def _row_noise(matched: Matched) -> RowNoise | None:
    """The variance between rows; None where it is not known, or where it is in the seeds' variance already."""
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
    """low, high and p; NaN where there is no noise to measure by."""
    readings = [([seeds] if seeds else []) + list(_relevant(seeds, rows)), rows.fixed if rows else []]
    readings = [parts for parts in readings if sum(part.variance for part in parts) > 0]
    if not readings:
        is_equal = rows is not None and abs(value) <= _RESOLUTION * scale
        return (value, value, 1.0) if is_equal else (math.nan, math.nan, math.nan)
    half = max(half_width(parts) for parts in readings)
    return value - half, value + half, max(p_value(value, parts) for parts in readings)


def _discordances(matched: Matched) -> list[Discordance]:
    """Of each pair that was tested on the same rows, right or wrong; none unless all are."""
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
