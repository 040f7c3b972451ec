"""The parts of a spec that schedules act on, and what each does to weights, independent of its kind."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from regcore.optim import Optimizer
from regcore.regularizers import Regularizer
from regcore.schedule import ConstantSchedule, Schedule
from regcore.spec.job import JobSpec

DECOUPLED_LIMIT: Final = 2.0
"""Above it |1 − ηλ| > 1, and weights grow."""


@dataclass(frozen=True)
class Part:
    """An optimizer or a regularizer, and its place in the spec.

    Attributes:
        pointer: JSON Pointer (RFC 6901) of the part.
        spec: Its fields.
        schedule: The schedule of its `scheduled` fields.
        scheduled_quantity: The name of these fields' quantity.
    """

    pointer: str
    spec: Optimizer | Regularizer
    schedule: Schedule
    scheduled_quantity: str


def parts_of(spec: JobSpec) -> Iterator[Part]:
    """The optimizer, then each regularizer."""
    yield Part("/optimizer", spec.optimizer, spec.optimizer.schedule, "learning rate")
    for position, regularizer in enumerate(spec.regularizers):
        yield Part(f"/regularizers/{position}", regularizer, regularizer.strength_schedule, "strength")


@dataclass(frozen=True)
class Shrinkage:
    """One λ by which every step shrinks weights.

    Attributes:
        pointer: JSON Pointer (RFC 6901) of its field.
        strength: λ.
        schedule: The schedule of λ, in addition to the learning rate's.
    """

    pointer: str
    strength: float
    schedule: Schedule


@dataclass(frozen=True)
class Decay(Shrinkage):
    """Every step reduces each weight by the share ηλ.

    Attributes:
        growth_limit: The ηλ above which steps enlarge weights.
    """

    growth_limit: float


@dataclass(frozen=True)
class Threshold(Shrinkage):
    """Every step reduces the size of each weight by up to ηλ, times the optimizer's gain.

    Attributes:
        by_gradient: Whether it can move a weight past zero.
    """

    by_gradient: bool


def decays_of(spec: JobSpec) -> Iterator[Decay]:
    """The decays of the optimizer and of the regularizers.

    A gradient λw does not count under an adaptive optimizer, which divides by its size: the step is then no share of
    the weight.
    """
    optimizer = spec.optimizer
    for name in optimizer.decays:
        yield Decay(f"/optimizer/{name}", getattr(optimizer, name), ConstantSchedule(), DECOUPLED_LIMIT)
    for position, regularizer in enumerate(spec.regularizers):
        limit = optimizer.stability if regularizer.decays_by_gradient else DECOUPLED_LIMIT
        if limit is None:
            continue
        for name in regularizer.decays:
            pointer = f"/regularizers/{position}/{name}"
            yield Decay(pointer, getattr(regularizer, name), regularizer.strength_schedule, limit)


def thresholds_of(spec: JobSpec) -> Iterator[Threshold]:
    """The subtractions of the regularizers."""
    for position, regularizer in enumerate(spec.regularizers):
        for name in regularizer.thresholds:
            pointer, strength = f"/regularizers/{position}/{name}", getattr(regularizer, name)
            yield Threshold(pointer, strength, regularizer.strength_schedule, regularizer.thresholds_by_gradient)
