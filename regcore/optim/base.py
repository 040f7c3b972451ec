"""The bases of optimizers: a spec, and its update of stacked weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from pydantic import Field

from regcore.at import At
from regcore.doubts import Doubt, RunShape
from regcore.frozen import Fusible
from regcore.members import add_scaled_, coefficient
from regcore.optim.elementwise import NOTHING, Elementwise, Numbers, times
from regcore.schedule import ConstantSchedule, Schedule
from regcore.shrinkage import shrink_
from regcore.trees import Tree

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.optim.kernels.one_pass import OnePass

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
        self._is_settled = False

    def at(self, at: At) -> tuple[float, ...]:
        """The numbers at this step; the same object while they do not change."""
        if self._is_settled:
            return self._last
        factors = [schedule.factor(at) for schedule in self._distinct]
        if factors != self._factors:
            self._last = tuple(value * factors[place] for value, place in zip(self._values, self._places, strict=True))
            self._factors = factors
            self._is_settled = all(schedule.is_constant for schedule in self._distinct)
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

    def rate(self, at: At) -> float:
        """The scheduled learning rate."""
        return self.learning_rate * self.schedule.factor(at)

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
    def bind(cls, members: Sequence[Any]) -> Update:
        """The update for K members of one kind.

        Args:
            members: One spec of this class per member.
        """
        raise NotImplementedError


class Update(ABC):
    """An optimizer at work on the stacked weights of K members.

    `move` says what it does, by torch's operations. Where `kernels` are named and can be had, they do the same in one
    pass over memory.

    Args:
        members: One spec per member.

    Attributes:
        state: {slot: {tensor: (K, ...)}}; it belongs to the run, which selects, saves and restores it.
    """

    kernels: ClassVar[tuple[str, ...]] = ()
    """Its kernels, see `regcore.optim.kernels`; behind the first of two, torch computes the first slot's root."""
    num_kernel_numbers: ClassVar[int] = 0
    """How many numbers of its own they take."""
    differs_by_step: ClassVar[bool] = False
    """Whether these change even if the learning rate does not."""

    def __init__(self, members: Sequence[Any]) -> None:
        self.members = members
        self.state: Tree = {}
        self._one_pass: tuple[object, object, OnePass | None] = (None, None, None)
        self._last: Mapping[str, Elementwise] = {}
        self._rates = Scheduled([m.learning_rate for m in members], [m.schedule for m in members])

    @property
    def slots(self) -> tuple[str, ...]:
        """What it remembers of each weight, by name."""
        return ()

    def start(self, weights: Mapping[str, Tensor]) -> Tree:
        """The state before the first step: zeros."""
        import torch

        return {slot: {name: torch.zeros_like(w.detach()) for name, w in weights.items()} for slot in self.slots}

    def rates(self, at: At) -> Numbers:
        """Scheduled learning rates, one per member."""
        return self._rates.at(at)

    def step(
        self,
        weights: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        elementwise: Mapping[str, Elementwise],
        at: At,
    ) -> None:
        """Move every weight once, in place.

        Args:
            weights: By name, each (K, ...). What is known of them is kept for the next step with the same mapping.
            gradients: The same; they may be changed.
            elementwise: What regularizers do to these weights; a tensor may be missing. Another object if another step
                does something else.
            at: The place in the run.
        """
        self._last = elementwise
        known, state, one_pass = self._one_pass
        if known is not weights or state is not self.state:
            one_pass = self._tables(weights)
            self._one_pass = weights, self.state, one_pass
        if one_pass is not None:
            one_pass.step(gradients, elementwise, at)
            return
        own = self.elementwise(at)
        for name, weight in weights.items():
            self.move(name, weight, gradients[name], elementwise.get(name, NOTHING) & own, at)

    def elementwise(self, at: At) -> Elementwise:
        """What the optimizer itself does to every weight, beside its step; it may change with the learning rate."""
        return NOTHING

    def move(self, name: str, weight: Tensor, gradient: Tensor, effects: Elementwise, at: At) -> None:
        """Move one weight: the reference, by torch's own operations one after the other."""
        if effects.push is not None:
            add_scaled_(gradient, weight.sign(), effects.push)
        if effects.pull is not None:
            add_scaled_(gradient, weight, effects.pull)
        if effects.keeps is not None:
            weight.mul_(coefficient(effects.keeps, weight))
        rates = self.rates(at) if effects.rate is None else times(self.rates(at), effects.rate)
        self.descend(name, weight, gradient, rates, at)
        if effects.shrinks is not None:
            shrink_(weight, effects.shrinks, self.reach(name, at))
        if effects.floor is not None:
            floor = coefficient(effects.floor, weight)
            weight.clamp_(min=floor)
        if effects.mask is not None:
            weight.mul_(effects.mask)

    @abstractmethod
    def descend(self, name: str, weight: Tensor, gradient: Tensor, rates: Numbers, at: At) -> None:
        """Take the step of one weight along its gradient, in place, and update its state."""

    @abstractmethod
    def reach(self, name: str, at: At) -> Sequence[float] | Tensor:
        """How far a unit gradient that stays constant moves this weight in one step, in the long run.

        With the threshold strength × reach, a proximal operator's fixed point is the minimum of the stated objective.
        With heavy-ball momentum μ the reach is η/(1−μ); under Adam it differs by coordinate (ProxGen, Yun et al. 2021).

        Returns:
            One number per member, or a tensor (K, ...) if coordinates differ.
        """

    def reach_at_own_rate(self, name: str, at: At) -> Sequence[float] | Tensor:
        """The reach of a weight with the factor of its own learning rate in the last step: for what acts behind it."""
        reach, factors = self.reach(name, at), self._last.get(name, NOTHING).rate
        if factors is None:
            return reach
        if isinstance(reach, Sequence):
            return times(reach, factors)
        own: Tensor = coefficient(factors, reach) * reach
        return own

    @property
    def kernel_slots(self) -> tuple[str, ...]:
        """Its slots in the kernels' order."""
        return self.slots

    def kernel_numbers(self, rates: Numbers, at: At) -> Sequence[Sequence[float]]:
        """What the kernels take of it, as they say: several numbers, each for every member."""
        raise NotImplementedError

    def kernel_shrink(self, name: str, strengths: Numbers, at: At) -> Numbers:
        """What they take of strengths: thresholds, or the same where the reach is each coordinate's."""
        return strengths

    def _tables(self, weights: Mapping[str, Tensor]) -> OnePass | None:
        if not self.kernels:
            return None
        from regcore.optim.kernels.one_pass import one_pass

        return one_pass(self, weights)

    def tensors_of(self, slot: str) -> dict[str, Tensor]:
        """One slot of the state, by the weight's name."""
        found: Any = self.state[slot]
        return cast("dict[str, Tensor]", found)
