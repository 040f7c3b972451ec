"""The verdict on each variant of a suggested sweep: against the network alone, and against two plain baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NOTHING = "nothing"
CONSTANT = "constant"
LINEAR = "linear"

NO_BETTER_THAN_CONSTANT = "better than the network alone, but no better than the same answer for every row"
FEWEST_SEEDS = 5

Comparison = Mapping[str, Any]


@dataclass(frozen=True)
class Score:
    """A mean over seeds with its 95 % interval; None if unknown."""

    mean: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class VariantVerdict:
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
    """The verdicts of one suggested sweep.

    Attributes:
        metric: What is compared, on test rows.
        verdicts: From the best to the last by the objective, on validation rows.
        against_linear: The verdict on the winner against `linear`; None if they are the same, or there is none.
    """

    metric: str
    verdicts: Sequence[VariantVerdict]
    against_linear: str | None = None
    _by_name: Mapping[str, VariantVerdict] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {one.name: one for one in self.verdicts})

    def of(self, name: str) -> VariantVerdict | None:
        """The verdict on a variant; None if it has no result."""
        return self._by_name.get(name)

    @property
    def winner(self) -> VariantVerdict | None:
        """The best by the objective, `constant` left out."""
        return next((one for one in self.verdicts if one.name != CONSTANT), None)

    @property
    def beats_constant(self) -> bool:
        """Whether any is measurably better than the same answer for every row."""
        return any(one.beats_constant for one in self.verdicts)

    @property
    def num_seeds(self) -> int:
        """The most seeds that a variant has."""
        return max((one.num_seeds for one in self.verdicts), default=0)

    def named(self, verdict: str) -> list[str]:
        """The regularizers with this verdict."""
        return [one.name for one in self.verdicts if one.role == "regularizer" and one.verdict == verdict]


def judge_variants(
    order: Sequence[str],
    against_nothing: Comparison,
    against_constant: Comparison | None,
    against_linear: Comparison | None = None,
    scores: Mapping[str, Comparison] | None = None,
) -> Trial:
    """Return the verdicts of a suggested sweep that has ended.

    Args:
        order: The variants with a result, from the best by the objective to the last.
        against_nothing: The server's comparison with the baseline `nothing`.
        against_constant: The same with the baseline `constant`; None if the sweep has none.
        against_linear: The same with the baseline `linear`.
        scores: Comparisons by other metrics, by the metric's name without the split.
    """
    groups = {group["name"]: group for group in against_nothing["groups"]}
    differences = _by_group(against_nothing)
    constants = _by_group(against_constant)
    others = {
        metric: {group["name"]: _score(group) for group in comparison["groups"]}
        for metric, comparison in (scores or {}).items()
    }
    verdicts = []
    for name in order:
        judged = differences.get(name, {})
        beats = constants.get(name, {}).get("verdict") == "helps"
        verdict = judged.get("verdict", "no_measurable_effect")
        note = judged.get("note")
        if verdict == "helps" and against_constant is not None and not beats:
            verdict, note = "no_measurable_effect", None if name == CONSTANT else NO_BETTER_THAN_CONSTANT
        difference = judged.get("difference") or {}
        verdicts.append(
            VariantVerdict(
                name=name,
                verdict=verdict,
                difference=Score(*(difference.get(end) for end in ("value", "low", "high"))),
                p_value=judged.get("p_value_corrected"),
                loss=_score(groups[name]),
                scores={metric: known[name] for metric, known in others.items() if name in known},
                values=groups[name].get("values") or {},
                num_seeds=groups[name]["num"],
                beats_constant=beats,
                note=note,
            )
        )
    trial = Trial(against_nothing["metric"], verdicts)
    winner = trial.winner
    if winner is None or winner.name == LINEAR:
        return trial
    return Trial(trial.metric, verdicts, _by_group(against_linear).get(winner.name, {}).get("verdict"))


def _by_group(comparison: Comparison | None) -> dict[str, Mapping[str, Any]]:
    return {one["group"]: one for one in comparison["differences"]} if comparison else {}


def _score(group: Mapping[str, Any]) -> Score:
    return Score(*(group.get(end) for end in ("mean", "low", "high")))
