"""The parts of a spec that a schedule may act on, and what each of them does to weights, whichever kind it is of."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from regcore.optim import Optimizer
from regcore.regularizers import Regularizer
from regcore.schedule import ConstantSchedule, Schedule
from regcore.spec.job import JobSpec

DECOUPLED_LIMIT: Final = 2.0
"""Beyond it |1 − ηλ| > 1, and weights grow."""


@dataclass(frozen=True)
class Part:
    """An optimizer or a regularizer in its place.

    Attributes:
        pointer: JSON Pointer (RFC 6901) of it.
        spec: Its fields.
        schedule: Of its `scheduled` fields.
        scheduled_quantity: What those are, in words.
    """

    pointer: str
    spec: Optimizer | Regularizer
    schedule: Schedule
    scheduled_quantity: str


def parts_of(spec: JobSpec) -> Iterator[Part]:
    """The optimizer, and then each regularizer."""
    yield Part("/optimizer", spec.optimizer, spec.optimizer.schedule, "learning rate")
    for position, regularizer in enumerate(spec.regularizers):
        yield Part(f"/regularizers/{position}", regularizer, regularizer.strength_schedule, "strength")


@dataclass(frozen=True)
class Shrinkage:
    """One λ by which every step makes weights smaller.

    Attributes:
        pointer: JSON Pointer (RFC 6901) of its field.
        strength: λ.
        schedule: Of λ, beside the learning rate's.
    """

    pointer: str
    strength: float
    schedule: Schedule


@dataclass(frozen=True)
class Decay(Shrinkage):
    """Every step takes the share ηλ off each weight.

    Attributes:
        growth_limit: The ηλ beyond which steps make weights larger.
    """

    growth_limit: float


@dataclass(frozen=True)
class Threshold(Shrinkage):
    """Every step takes up to ηλ, times the optimizer's gain, off the size of each weight.

    Attributes:
        by_gradient: Whether a weight may be taken beyond zero by it.
    """

    by_gradient: bool


def decays_of(spec: JobSpec) -> Iterator[Decay]:
    """The optimizer's own, and those of the regularizers.

    A gradient λw is none under an adaptive optimizer, which divides by its size: there it takes no share of a weight.
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
    """Those of the regularizers."""
    for position, regularizer in enumerate(spec.regularizers):
        for name in regularizer.thresholds:
            pointer, strength = f"/regularizers/{position}/{name}", getattr(regularizer, name)
            yield Threshold(pointer, strength, regularizer.strength_schedule, regularizer.thresholds_by_gradient)
