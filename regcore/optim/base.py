"""The bases of optimizers: a spec, and its update of stacked weights."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from pydantic import Field

from regcore.doubts import Doubt, RunShape
from regcore.frozen import Fusible
from regcore.schedule import ConstantSchedule, Moment, Schedule

if TYPE_CHECKING:
    from torch import Tensor

MAX_LEARNING_RATE = 1e6
MIN_EPS, MAX_EPS = 1e-30, 1e6
"""Numbers that float32 can hold and divide by."""
MAX_STRENGTH = 1e12
LARGE_ADAPTIVE_STEP: Final = 0.25
"""With Adam's steps of 0.1 `mlp [32]` learns the built-in sets; with steps of 0.3 it fails on most."""
LARGE_STEP: Final = 50.0
"""In the gradient's unit: with a momentum of 0.9, a rate of 3 trains some of the built-in sets, and 10 none."""
SMALL_DISTANCE: Final = 1e-4
"""Weights start at about 0.1; this is less than a thousandth of that in a whole run."""


class Scheduled:
    """A number per member, times its schedule's factor: a learning rate or a strength.

    It is needed several times in each step, so equal schedules are evaluated once.

    Args:
        values: Base value of each member.
        schedules: Schedule of each member.
    """

    def __init__(self, values: Iterable[float], schedules: Sequence[Schedule]) -> None:
        self._values = tuple(values)
        self._distinct = list(dict.fromkeys(schedules))
        self._places = [self._distinct.index(schedule) for schedule in schedules]
        self._factors: list[float] = []
        self._last: tuple[float, ...] = ()

    def at(self, moment: Moment) -> tuple[float, ...]:
        """The numbers at this step."""
        factors = [schedule.factor(moment) for schedule in self._distinct]
        if factors != self._factors:
            self._last = tuple(value * factors[place] for value, place in zip(self._values, self._places, strict=True))
            self._factors = factors
        return self._last


class Optimizer(Fusible):
    """The spec of an optimizer."""

    summary: ClassVar[str]
    formula: ClassVar[str]
    source: ClassVar[str]

    scheduled: ClassVar[tuple[str, ...]] = ("learning_rate",)
    """Fields that the schedule multiplies."""
    decays: ClassVar[tuple[str, ...]] = ()
    """Fields λ for which every step reduces each weight by the share ηλ."""

    lengthens_steps: ClassVar[tuple[str, ...]] = ()
    """Fields that raise the gain above 1."""
    shortens_steps: ClassVar[tuple[str, ...]] = ()
    """Fields that lower the gain below 1."""

    kind: str
    learning_rate: float = Field(default=0.01, gt=0, le=MAX_LEARNING_RATE)
    """Base learning rate η; the schedule multiplies it."""
    schedule: Schedule = ConstantSchedule()
    """How the learning rate changes over the run."""

    def rate(self, moment: Moment) -> float:
        """The scheduled learning rate."""
        return self.learning_rate * self.schedule.factor(moment)

    @property
    def stability(self) -> float | None:
        """The largest ηλ at which descent on (λ/2)w² does not diverge; None if the gradient's size does not matter."""
        return None

    @property
    def is_adaptive(self) -> bool:
        """Whether it divides by the gradient's size, so that every weight moves by about the learning rate."""
        return self.stability is None

    def gain(self, num_steps: float, gradient: float = 1.0) -> float:
        """How far a constant gradient moves a weight in one step, in learning rates, after this many steps.

        Args:
            num_steps: Steps; infinite for the long run.
            gradient: The gradient's size.
        """
        raise NotImplementedError

    def longest_step(self, run: RunShape, gradient: float = 1.0) -> float:
        """The most that a gradient of this size moves a weight in one step of a run."""
        return self.learning_rate * self.schedule.peak(run) * self.gain(run.num_steps, gradient)

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        """What is doubtful about this optimizer in such a run."""
        for doubt in self.schedule.doubts(run, "learning rate"):
            yield replace(doubt, pointer=f"/schedule{doubt.pointer}")
        step, gain = self.longest_step(run), self.gain(run.num_steps)
        size = f"up to {step:.3g}" if self.is_adaptive else f"up to {step:.3g} times its gradient"
        if step >= (LARGE_ADAPTIVE_STEP if self.is_adaptive else LARGE_STEP):
            yield Doubt(
                "/learning_rate",
                "rate_too_large",
                f"a step moves each weight by {size}, where weights are usually below 1: few networks train so.",
                f"Lower {' or '.join(['learning_rate', *(self.lengthens_steps if gain > 1 else ())])}.",
            )
        if step * run.num_steps < SMALL_DISTANCE:
            yield Doubt(
                "/learning_rate",
                "rate_too_small",
                f"a step moves each weight by {size}: in all {run.num_steps} steps of the run next to nothing.",
                f"Raise learning_rate, {''.join(f'lower {name}, ' for name in self.shortens_steps if gain < 0.5)}or "
                "train longer.",
            )

    @classmethod
    def bind(cls, members: Sequence[Any], weights: Mapping[str, Tensor]) -> Update:
        """The update for K members of one kind.

        Args:
            members: One spec of this class per member.
            weights: Stacked parameters by name, each (K, ...); updated in place.
        """
        raise NotImplementedError


class Update(ABC):
    """An optimizer at work on stacked weights."""

    def __init__(self, members: Sequence[Any], weights: Mapping[str, Tensor]) -> None:
        self.weights = weights
        self.state: dict[str, dict[str, Tensor]] = {name: {} for name in weights}
        self.take(members)

    def take(self, members: Sequence[Any]) -> None:
        """Precompute what each step needs of these specs."""
        self.members = members
        self._rates = Scheduled([m.learning_rate for m in members], [m.schedule for m in members])

    def select(self, positions: Sequence[int], weights: Mapping[str, Tensor]) -> Self:
        """The update of some of the members, with these weights."""
        import torch

        part = copy.copy(self)
        part.take([self.members[position] for position in positions])
        part.weights = weights
        rows = torch.tensor(list(positions), dtype=torch.int64)
        part.state = {
            name: {key: tensor.index_select(0, rows.to(tensor.device)) for key, tensor in state.items()}
            for name, state in self.state.items()
        }
        return part

    def load_state(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Restore the result of `state`, from any device."""
        for name, weight in self.weights.items():
            self.state[name] = {key: tensor.to(weight.device) for key, tensor in state[name].items()}

    def rates(self, moment: Moment) -> tuple[float, ...]:
        """Scheduled learning rates, one per member."""
        return self._rates.at(moment)

    @abstractmethod
    def step(self, gradients: Mapping[str, Tensor], moment: Moment) -> None:
        """Move every weight once, in place."""

    @abstractmethod
    def reach(self, name: str, moment: Moment) -> Sequence[float] | Tensor:
        """How far a unit gradient that stays constant moves this weight in one step, in the long run.

        With the threshold strength × reach, a proximal operator's fixed point is the minimum of the stated objective.
        With heavy-ball momentum μ the reach is η/(1−μ); under Adam it differs by coordinate (ProxGen, Yun et al. 2021).

        Returns:
            One number per member, or a tensor (K, ...) if coordinates differ.
        """
