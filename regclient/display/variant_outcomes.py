"""The outcome of each variant of a suggested sweep: against the network alone, and against two plain baselines."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from regclient.known_kinds import metric_named

NOTHING = "nothing"
CONSTANT = "constant"
LINEAR = "linear"

NO_BETTER_THAN_CONSTANT = "better than the network alone, but no better than the same answer for every row"
FEWEST_SEEDS = 5
_LEVEL = 0.05

Comparison = Mapping[str, Any]


@dataclass(frozen=True)
class Score:
    """A mean over seeds with its 95 % interval; None if unknown."""

    mean: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class VariantOutcome:
    """One way to train, at its best values.

    Attributes:
        name: The variant's.
        verdict: `helps`, `hurts` or `no_measurable_effect`, against the network alone. `helps` only if it is also
            better than `constant`: what merely unlearns a useless network helps nobody.
        difference: Its loss less that of the network alone; `value`, `low` and `high` can be None.
        p_value: Corrected for all variants.
        loss: On test rows.
        scores: Other metrics on test rows, by name without the split.
        values: The tuned values, by pointer.
        num_seeds: Seeds with a result.
        beats_constant: Whether it is measurably better than the same answer for every row.
        note: What to know about it.
    """

    name: str
    verdict: str
    difference: Score
    p_value: float | None
    loss: Score
    scores: Mapping[str, Score]
    values: Mapping[str, Any]
    num_seeds: int
    beats_constant: bool
    note: str | None = None

    @property
    def role(self) -> str:
        """What it is in the comparison: `reference`, `baseline` or `regularizer`."""
        return {NOTHING: "reference", CONSTANT: "baseline", LINEAR: "baseline"}.get(self.name, "regularizer")


@dataclass(frozen=True)
class Trial:
    """The outcomes of one suggested sweep.

    Attributes:
        metric: What is compared, on test rows.
        outcomes: From the best to the last by the objective, on validation rows.
        against_linear: The verdict on the winner against `linear`; None if they are the same, or there is none.
    """

    metric: str
    outcomes: Sequence[VariantOutcome]
    against_linear: str | None = None
    _by_name: Mapping[str, VariantOutcome] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {one.name: one for one in self.outcomes})

    def of(self, name: str) -> VariantOutcome | None:
        """The outcome of a variant; None if it has no result."""
        return self._by_name.get(name)

    @property
    def winner(self) -> VariantOutcome | None:
        """The best by the objective, `constant` left out."""
        return next((one for one in self.outcomes if one.name != CONSTANT), None)

    @property
    def beats_constant(self) -> bool:
        """Whether any is measurably better than the same answer for every row."""
        return any(one.beats_constant for one in self.outcomes)

    @property
    def num_seeds(self) -> int:
        """The most seeds that a variant has."""
        return max((one.num_seeds for one in self.outcomes), default=0)

    def named(self, verdict: str) -> list[str]:
        """The regularizers with this verdict."""
        return [one.name for one in self.outcomes if one.role == "regularizer" and one.verdict == verdict]


def judge_variants(
    order: Sequence[str],
    against_nothing: Comparison,
    against_constant: Comparison | None,
    against_linear: Comparison | None = None,
    scores: Mapping[str, Comparison] | None = None,
    *,
    rows_against_constant: Sequence[Comparison] = (),
) -> Trial:
    """Return the outcomes of a suggested sweep that has ended.

    Args:
        order: The variants with a result, from the best by the objective to the last.
        against_nothing: The server's comparison with the baseline `nothing`.
        against_constant: The same with the baseline `constant`; None if the sweep has none.
        against_linear: The same with the baseline `linear`.
        scores: Comparisons by other metrics, by the metric's name without the split.
        rows_against_constant: Of a sweep with few seeds, for each of them its jobs compared on its test rows.
    """
    groups = {group["name"]: group for group in against_nothing["groups"]}
    differences = _by_group(against_nothing)
    constants = _by_group(against_constant)
    others = {
        metric: {group["name"]: _score(group, metric) for group in comparison["groups"]}
        for metric, comparison in (scores or {}).items()
    }

    def beats_constant(name: str) -> bool:
        by_seeds = constants.get(name, {}).get("verdict") == "helps"
        return by_seeds or _is_better_by_rows(name, rows_against_constant)

    outcomes = []
    for name in order:
        judged = differences.get(name, {})
        beats = beats_constant(name)
        verdict = judged.get("verdict", "no_measurable_effect")
        note = judged.get("note")
        is_baseline = name in (CONSTANT, LINEAR)
        if verdict == "helps" and against_constant is not None and not beats and not is_baseline:
            verdict, note = "no_measurable_effect", NO_BETTER_THAN_CONSTANT
        elif name == CONSTANT and beats_constant(NOTHING):
            verdict = "hurts"
        difference = judged.get("difference") or {}
        outcomes.append(
            VariantOutcome(
                name=name,
                verdict=verdict,
                difference=Score(*(difference.get(end) for end in ("value", "low", "high"))),
                p_value=judged.get("p_value_corrected"),
                loss=_score(groups[name], "loss"),
                scores={metric: known[name] for metric, known in others.items() if name in known},
                values=groups[name].get("values") or {},
                num_seeds=groups[name]["num"],
                beats_constant=beats,
                note=note,
            )
        )
    trial = Trial(against_nothing["metric"], outcomes)
    winner = trial.winner
    if winner is None or winner.name == LINEAR:
        return trial
    return Trial(trial.metric, outcomes, _by_group(against_linear).get(winner.name, {}).get("verdict"))


def _by_group(comparison: Comparison | None) -> dict[str, Mapping[str, Any]]:
    return {one["group"]: one for one in comparison["differences"]} if comparison else {}


def _is_better_by_rows(name: str, rows_against_constant: Sequence[Comparison]) -> bool:
    """Whether the rows of any one seed show it, corrected (Bonferroni) for all seeds and variants.

    Two seeds have no power to tell even a perfect model from a constant; but the test rows of each do, which no
    training has seen.
    """
    found = [
        one
        for comparison in rows_against_constant
        for one in comparison["differences"]
        if one["baseline"] == CONSTANT and one["p_value"] is not None
    ]
    return any(
        one["group"] == name and one["difference"]["value"] < 0 and one["p_value"] * len(found) < _LEVEL
        for one in found
    )


def _score(group: Mapping[str, Any], metric: str) -> Score:
    """A group's mean, and its interval as far as the metric has values."""
    known = metric_named(metric)
    least, most = (0.0, math.inf) if known is None else (known.least, known.most)
    ends = (group.get(end) for end in ("low", "high"))
    return Score(group.get("mean"), *(None if end is None else min(max(end, least), most) for end in ends))
