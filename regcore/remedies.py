"""What to change in a spec whose loss stopped being a finite number, the likeliest cause first."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from regcore.decays import decays_of
from regcore.schedule import Moment, Schedule
from regcore.spec.job import JobSpec

_LARGE_CLASS_WEIGHT: Final = 10.0


@dataclass(frozen=True)
class Remedy:
    """One thing to change.

    Attributes:
        pointer: JSON Pointer (RFC 6901) of the likely cause.
        advice: What to do with it, as a sentence.
    """

    pointer: str
    advice: str


def remedies(spec: JobSpec, moment: Moment) -> list[Remedy]:
    """Each cause that the parts declare and that was at work at this step; the learning rate always is one."""
    return [*_growing_decays(spec, moment), *_grown_schedules(spec, moment), *_class_weights(spec), _rate(spec)]


def _growing_decays(spec: JobSpec, moment: Moment) -> Iterator[Remedy]:
    rate = spec.optimizer.rate(moment)
    for decay in decays_of(spec):
        product = rate * decay.strength * decay.schedule.factor(moment)
        if decay.growth_limit is not None and product > decay.growth_limit:
            yield Remedy(
                decay.pointer,
                f"Lower {_named(decay.pointer)} (now {decay.strength:g}): learning rate × strength was {product:.3g}, "
                f"and above {decay.growth_limit:.3g} steps make weights larger.",
            )


def _grown_schedules(spec: JobSpec, moment: Moment) -> Iterator[Remedy]:
    scheduled: list[tuple[str, str, Schedule]] = [("/optimizer", "learning rate", spec.optimizer.schedule)]
    for position, regularizer in enumerate(spec.regularizers):
        scheduled.append((f"/regularizers/{position}", "strength", regularizer.strength_schedule))
    for part, what, schedule in scheduled:
        factor = schedule.factor(moment)
        if schedule.growth_field is not None and factor > 1:
            pointer = f"{part}/schedule/{schedule.growth_field}"
            value = getattr(schedule, schedule.growth_field)
            yield Remedy(
                pointer,
                f"Lower {_named(pointer)} (now {value:g}), which had taken the {what} to {factor:.3g} times its base.",
            )


def _class_weights(spec: JobSpec) -> Iterator[Remedy]:
    weights = spec.task.class_weights
    if isinstance(weights, list) and max(weights) >= _LARGE_CLASS_WEIGHT:
        pointer = "/task/class_weights"
        yield Remedy(
            pointer,
            f"Lower {_named(pointer)} (the largest is {max(weights):g}), which multiply the loss and its gradients; "
            "only their ratios tell classes apart.",
        )


def _rate(spec: JobSpec) -> Remedy:
    rate = spec.optimizer.learning_rate
    advice = f"Lower optimizer.learning_rate (now {rate:g}), e.g. to {rate / 10:g}, or warm it up."
    return Remedy("/optimizer/learning_rate", advice)


def _named(pointer: str) -> str:
    return pointer.removeprefix("/").replace("/", ".")
