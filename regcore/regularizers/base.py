"""The bases of regularizers: spec fields, the parameters they act on, and the effect at the loop's stages."""

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
    """The spec of a regularizer. One file per kind has the fields, the formula, the source and the effect."""

    summary: ClassVar[str]
    formula: ClassVar[str]
    source: ClassVar[str]
    example: ClassVar[dict[str, Any]]
    """The regularizer as JSON in an example job."""
    adds_to_objective: ClassVar[bool] = False
    """Whether it has a penalty that is recorded as `objective/penalty.{name}`."""
    stronger: ClassVar[Stronger] = {}
    """For each numeric field, the end that regularizes more; None for neither. Of equally good values the strongest is
    taken, as the simplest model."""

    scheduled: ClassVar[tuple[str, ...]] = ()
    """Fields that its schedule multiplies."""
    decays: ClassVar[tuple[str, ...]] = ()
    """Fields λ for which every step reduces each weight by the share ηλ."""
    decays_by_gradient: ClassVar[bool] = False
    """Whether that happens by a gradient λw, which the optimizer treats like any other."""
    thresholds: ClassVar[tuple[str, ...]] = ()
    """Fields λ for which every step reduces the size of each weight by up to ηλ, times the optimizer's gain."""

    kind: str

    def rewrite(self, layers: list[AnyLayer]) -> list[AnyLayer]:
        """Surgery: return the model's layers with this regularizer's changes. Raises ValueError if nothing matches."""
        return layers

    def touched(self, parameters: Sequence[str]) -> list[str]:
        """Names of the parameters it acts on. Raises ValueError if a selector matches nothing."""
        return []

    def needs(self, *, task: str, num_validation_rows: int, num_classes: int = 0) -> str | None:
        """What it lacks to take effect, with the remedy; None if nothing.

        Args:
            task: `classification` or `regression`.
            num_validation_rows: Rows of the validation split.
            num_classes: Of a classification; 0 for a regression.
        """
        return None

    @property
    def thresholds_by_gradient(self) -> bool:
        """Whether that happens by a gradient λ·sign(w), which may move a weight past zero."""
        return False

    @property
    def strength_schedule(self) -> Schedule:
        """The factor of its `scheduled` fields over the run."""
        return ConstantSchedule()

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        """What is doubtful about this regularizer in such a run."""
        yield from ()

    @property
    def watches(self) -> str | None:
        """The metric by which it selects the evaluation whose weights are kept; None if it does not select."""
        return None

    def explain(self, touched: Sequence[str]) -> str:
        """One sentence for the plan: what it does, and where."""
        return f"{self.summary} On: {', '.join(touched)}." if touched else self.summary

    @classmethod
    def bind(cls, members: Sequence[Any], touched: Sequence[str]) -> Effect | None:
        """The effect for K members of this kind; None if it acts only by surgery."""
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
class EpochChoice:
    """An effect's decisions after an evaluation.

    Attributes:
        keep: Members whose weights are the best so far and are remembered.
        stop: Members that can stop.
        undefined: Watched metrics that had no value, for the first time, by member.
    """

    keep: frozenset[int] = frozenset()
    stop: frozenset[int] = frozenset()
    undefined: Mapping[int, str] = field(default_factory=dict)


class Effect:
    """A regularizer at work on stacked weights. It acts at the stages that it overrides.

    Args:
        members: One spec per member.
        touched: Names of the parameters it acts on.
    """

    def __init__(self, members: Sequence[Any], touched: Sequence[str]) -> None:
        self.touched = touched
        self.take(members)

    def take(self, members: Sequence[Any]) -> None:
        """Precompute what each step needs of these specs."""
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

    def on_evaluation(self, metrics: Sequence[Mapping[str, float]]) -> EpochChoice:
        """Judge each member's metrics after an evaluation that its spec asks for."""
        return EpochChoice()

    def select(self, positions: Sequence[int]) -> Self:
        """The effect of some of the members, with their part of the state."""
        part = copy.copy(self)
        part.take([self.members[position] for position in positions])
        return part

    def state(self) -> dict[str, Any]:
        """Its state between steps, for a checkpoint: JSON values and tensors; numbers may be infinite."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the result of `state`."""
