"""What every regularizer is: spec fields, what it touches, and its effect at the loop's stages."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints

from regcore.doubts import Doubt, RunShape
from regcore.errors import shortened
from regcore.frozen import Frozen, Fusible
from regcore.layers import AnyLayer
from regcore.schedule import ConstantSchedule, Moment, Schedule

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.optim import Update

Stronger = Mapping[str, Literal["larger", "smaller"] | None]


Pattern = Annotated[str, StringConstraints(max_length=200)]


class Select(Frozen):
    """Which parameters, by name; `*` stands for anything."""

    include: list[Pattern] = Field(default=["*.weight"], min_length=1, max_length=100)
    """Parameters that match one of these,"""
    exclude: list[Pattern] = Field(default=[], max_length=100)
    """but none of these."""

    def names(self, parameters: Sequence[str]) -> list[str]:
        """The parameters that are selected, in their own order."""
        return [
            name
            for name in parameters
            if any(fnmatchcase(name, pattern) for pattern in self.include)
            and not any(fnmatchcase(name, pattern) for pattern in self.exclude)
        ]


class Regularizer(Fusible):
    """The spec's side: one file per kind holds the fields, the formula, the source and the effect."""

    summary: ClassVar[str]
    formula: ClassVar[str]
    source: ClassVar[str]
    example: ClassVar[dict[str, Any]]
    """The regularizer as JSON in an example job."""
    adds_to_objective: ClassVar[bool] = False
    """Whether it has a penalty that is recorded as `objective/penalty.{name}`."""
    stronger: ClassVar[Stronger] = {}
    """Of each field that is a number, which end regularizes more; None for neither. Of values that are as good, the
    strongest is the simplest model."""

    scheduled: ClassVar[tuple[str, ...]] = ()
    """Fields that its schedule multiplies."""
    decays: ClassVar[tuple[str, ...]] = ()
    """Fields λ by which every step takes the share ηλ off each weight."""
    decays_by_gradient: ClassVar[bool] = False
    """Whether it does so by a gradient λw, which the optimizer then treats as any other."""
    thresholds: ClassVar[tuple[str, ...]] = ()
    """Fields λ by which every step takes up to ηλ, times the optimizer's gain, off the size of each weight."""

    kind: str

    def rewrite(self, layers: list[AnyLayer]) -> list[AnyLayer]:
        """Surgery: the model's layers as this regularizer wants them. Raises ValueError where nothing matches."""
        return layers

    def touched(self, parameters: Sequence[str]) -> list[str]:
        """Names of the parameters it acts on. Raises ValueError where a selector matches nothing."""
        return []

    def needs(self, *, task: str, num_validation_rows: int) -> str | None:
        """What is missing for it to act, with the remedy; None where nothing is."""
        return None

    @property
    def thresholds_by_gradient(self) -> bool:
        """Whether it does so by a gradient λ·sign(w), which may take a weight beyond zero."""
        return False

    @property
    def strength_schedule(self) -> Schedule:
        """What multiplies its `scheduled` fields over the run."""
        return ConstantSchedule()

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        """What is doubtful of it by itself in such a run."""
        yield from ()

    @property
    def watches(self) -> str | None:
        """The metric by which it selects one of the evaluations, whose weights are kept; None where it does not."""
        return None

    def explain(self, touched: Sequence[str]) -> str:
        """One sentence for the plan: what it will do, and where."""
        return f"{self.summary} On: {', '.join(touched)}." if touched else self.summary

    @classmethod
    def bind(cls, members: Sequence[Any], touched: Sequence[str]) -> Effect | None:
        """The effect for K members of this kind; None where surgery is all there is."""
        return None


class WeightRegularizer(Regularizer):
    """A regularizer of selected weights, with a schedule of its strength."""

    select: Select = Select()
    """Which parameters; weights by default, never biases."""
    schedule: Schedule = ConstantSchedule()
    """How the strength changes over the run."""

    @property
    def strength_schedule(self) -> Schedule:
        return self.schedule

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        for doubt in self.schedule.doubts(run, "strength"):
            yield replace(doubt, pointer=f"/schedule{doubt.pointer}")

    def touched(self, parameters: Sequence[str]) -> list[str]:
        names = self.select.names(parameters)
        if not names:
            raise ValueError(
                f"select must match at least one parameter of {shortened(', '.join(parameters), 300)}; received "
                f"include={shortened(str(self.select.include), 200)}, "
                f"exclude={shortened(str(self.select.exclude), 200)}, which match none. "
                "Name one of those, or leave select out for every weight"
            )
        return names


@dataclass(frozen=True)
class Verdict:
    """What an effect says after an evaluation.

    Attributes:
        keep: Members whose weights are the best so far, to be remembered.
        stop: Members that need not train further.
        undefined: Metrics that had no value for the first time, by the member that is watched by them.
    """

    keep: frozenset[int] = frozenset()
    stop: frozenset[int] = frozenset()
    undefined: Mapping[int, str] = field(default_factory=dict)


class Effect:
    """A regularizer at work on stacked weights: the stages it overrides are the ones it acts at.

    Args:
        members: One spec per member.
        touched: Names of the parameters it acts on.
    """

    def __init__(self, members: Sequence[Any], touched: Sequence[str]) -> None:
        self.touched = touched
        self.take(members)

    def take(self, members: Sequence[Any]) -> None:
        """Work out once what each step needs of these specs."""
        self.members = members

    def penalty(self, weights: Mapping[str, Tensor], moment: Moment) -> Tensor:
        """Its part of the objective, (K,), float64."""
        raise NotImplementedError

    def on_gradients(self, weights: Mapping[str, Tensor], gradients: dict[str, Tensor], moment: Moment) -> None:
        """Change the gradients, in place: after backward, before the step."""

    def before_step(self, weights: Mapping[str, Tensor], update: Update, moment: Moment) -> None:
        """Change the weights, in place, just before the optimizer moves them."""

    def after_step(self, weights: Mapping[str, Tensor], update: Update, moment: Moment) -> None:
        """Change the weights, in place, just after the optimizer moved them: proximal operators, projections."""

    def on_evaluation(self, metrics: Sequence[Mapping[str, float]]) -> Verdict:
        """Look at each member's metrics after an evaluation that its spec asks for."""
        return Verdict()

    def select(self, positions: Sequence[int]) -> Self:
        """The effect of some of the members alone; one that keeps a state takes theirs over."""
        part = copy.copy(self)
        part.take([self.members[position] for position in positions])
        return part

    def state(self) -> dict[str, Any]:
        """What it remembers between steps, for a checkpoint: JSON values and tensors; numbers may be infinite."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Remember what `state` gave."""
