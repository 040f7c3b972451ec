"""Everything in a spec that shrinks weights by a share of themselves in each step, whichever part it is of."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from regcore.schedule import ConstantSchedule, Schedule
from regcore.spec.job import JobSpec

DECOUPLED_LIMIT: Final = 2.0
"""Beyond it |1 − ηλ| > 1, and weights grow."""


@dataclass(frozen=True)
class Decay:
    """One λ: every step takes the share ηλ off each weight.

    Attributes:
        pointer: JSON Pointer (RFC 6901) of its field.
        strength: λ.
        schedule: Of λ, beside the learning rate's.
        growth_limit: The ηλ beyond which steps make weights larger; None where they never do.
    """

    pointer: str
    strength: float
    schedule: Schedule
    growth_limit: float | None


def decays_of(spec: JobSpec) -> Iterator[Decay]:
    """The optimizer's own, and those of the regularizers."""
    optimizer = spec.optimizer
    for name in optimizer.decays:
        yield Decay(f"/optimizer/{name}", getattr(optimizer, name), ConstantSchedule(), DECOUPLED_LIMIT)
    for position, regularizer in enumerate(spec.regularizers):
        limit = optimizer.stability if regularizer.decays_by_gradient else DECOUPLED_LIMIT
        for name in regularizer.decays:
            pointer = f"/regularizers/{position}/{name}"
            yield Decay(pointer, getattr(regularizer, name), regularizer.strength_schedule, limit)
