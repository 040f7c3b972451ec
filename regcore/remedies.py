"""What to change in a spec whose loss became non-finite, the likeliest cause first."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from regcore.at import At
from regcore.parts import decays_of, parts_of, thresholds_of
from regcore.spec.job import JobSpec

_LARGE_CLASS_WEIGHT: Final = 10.0


@dataclass(frozen=True)
class Remedy:
    """One thing to change.

    Attributes:
        pointer: JSON Pointer (RFC 6901) of the likely cause.
        advice: What to do, as a sentence.
    """

    pointer: str
    advice: str


def remedies(spec: JobSpec, at: At) -> list[Remedy]:
    """Each cause that the parts declare and that was active at this step; the learning rate always is one."""
    return [
        *_growing_decays(spec, at),
        *_overshooting_thresholds(spec, at),
        *_grown_schedules(spec, at),
        *_class_weights(spec),
        _rate(spec),
    ]


def _growing_decays(spec: JobSpec, at: At) -> Iterator[Remedy]:
    rate = spec.optimizer.rate(at)
    for decay in decays_of(spec):
        product = rate * decay.strength * decay.schedule.factor(at)
        if product > decay.growth_limit:
            yield Remedy(
                decay.pointer,
                f"Lower {_named(decay.pointer)} (now {decay.strength:g}): learning rate × strength was {product:.3g}, "
                f"and above {decay.growth_limit:.3g} steps make weights larger.",
            )


def _overshooting_thresholds(spec: JobSpec, at: At) -> Iterator[Remedy]:
    """Not under an adaptive optimizer, which divides by the gradient's size; a proximal one stops at zero."""
    optimizer = spec.optimizer
    reach = optimizer.rate(at) * optimizer.gain(at.step + 1)
    for threshold in thresholds_of(spec):
        taken = reach * threshold.strength * threshold.schedule.factor(at)
        if threshold.by_gradient and not optimizer.is_adaptive and taken > 1:
            yield Remedy(
                threshold.pointer,
                f"Lower {_named(threshold.pointer)} (now {threshold.strength:g}): each step took weights beyond zero, "
                f"by up to {taken:.3g}.",
            )


def _grown_schedules(spec: JobSpec, at: At) -> Iterator[Remedy]:
    for part in parts_of(spec):
        schedule = part.schedule
        factor = schedule.factor(at)
        if schedule.growth_field is not None and factor > 1:
            pointer = f"{part.pointer}/schedule/{schedule.growth_field}"
            value = getattr(schedule, schedule.growth_field)
            yield Remedy(
                pointer,
                f"Lower {_named(pointer)} (now {value:g}), which had taken the {part.scheduled_quantity} to "
                f"{factor:.3g} times its base.",
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
