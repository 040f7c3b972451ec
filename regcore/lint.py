"""Warnings about specs that can be trained, but hardly as meant."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from regcore.decays import decays_of
from regcore.doubts import RunShape
from regcore.frozen import Immutable
from regcore.layers import AnyLayer
from regcore.spec.job import JobSpec


class SpecWarning(Immutable):
    """One thing that deserves a second look."""

    code: str
    pointer: str
    message: str
    remedy: str


def lint(
    spec: JobSpec, layers: Sequence[AnyLayer], run: RunShape, *, regularizers_touch: Sequence[Sequence[str]]
) -> list[SpecWarning]:
    """What is doubtful in a resolved spec.

    Args:
        spec: Resolved.
        layers: After surgery.
        run: How long it is.
        regularizers_touch: For each regularizer the parameters it acts on.
    """
    return [
        *_own_doubts(spec, run),
        *_gradient_decay_under_adaptive_optimizer(spec),
        *_two_decays(spec, regularizers_touch),
        *_overshooting_decays(spec, run),
        *_thresholds_above_weights(spec, run),
        *_dropout_twice(layers),
        *_no_test_rows(spec),
    ]


def _own_doubts(spec: JobSpec, run: RunShape) -> list[SpecWarning]:
    """What each part declares of itself."""
    parts = [("/optimizer", spec.optimizer), *((f"/regularizers/{k}", one) for k, one in enumerate(spec.regularizers))]
    return [
        SpecWarning(code=one.code, pointer=f"{pointer}{one.pointer}", message=one.message, remedy=one.remedy)
        for pointer, part in parts
        for one in part.doubts(run)
    ]


def _gradient_decay_under_adaptive_optimizer(spec: JobSpec) -> list[SpecWarning]:
    return [
        SpecWarning(
            code="l2_in_adaptive_optimizer",
            pointer=f"/regularizers/{position}",
            message=f"{spec.optimizer.kind} rescales {regularizer.kind}'s gradient per weight, so it shrinks unevenly.",
            remedy="Use weight_decay for the ℓ₂ part, which is decoupled from the gradient (Loshchilov & Hutter 2019).",
        )
        for position, regularizer in enumerate(spec.regularizers)
        if regularizer.decays_by_gradient and spec.optimizer.gain is None
    ]


def _two_decays(spec: JobSpec, touch: Sequence[Sequence[str]]) -> list[SpecWarning]:
    decays = [position for position, regularizer in enumerate(spec.regularizers) if regularizer.decays]
    times = Counter(name for position in decays for name in touch[position])
    by_optimizer = any(getattr(spec.optimizer, name) > 0 for name in spec.optimizer.decays)
    doubled = [name for name, count in times.items() if count + by_optimizer > 1]
    if not doubled:
        return []
    return [
        SpecWarning(
            code="two_decays",
            pointer=f"/regularizers/{decays[-1]}",
            message=f"More than one decay acts on {', '.join(doubled)}.",
            remedy="Keep one of them, or select different weights.",
        )
    ]


def _overshooting_decays(spec: JobSpec, run: RunShape) -> list[SpecWarning]:
    rate = spec.optimizer.learning_rate * spec.optimizer.schedule.peak(run)
    warnings = []
    for decay in decays_of(spec):
        product = rate * decay.strength * decay.schedule.peak(run)
        if product <= 1:
            continue
        grows = decay.growth_limit is not None and product > decay.growth_limit
        what = (
            f"above {decay.growth_limit:.3g}: steps make weights larger" if grows else "above 1: steps overshoot zero"
        )
        warnings.append(
            SpecWarning(
                code="strength_overshoots",
                pointer=decay.pointer,
                message=f"learning rate × strength = {product:g} is {what}.",
                remedy="Lower the strength or the learning rate.",
            )
        )
    return warnings


def _thresholds_above_weights(spec: JobSpec, run: RunShape) -> list[SpecWarning]:
    """A gradient's size is divided out by an adaptive optimizer, so under it nothing is known of a threshold."""
    optimizer = spec.optimizer
    if optimizer.gain is None:
        return []
    reach = optimizer.learning_rate * optimizer.schedule.peak(run) * optimizer.gain
    return [
        SpecWarning(
            code="strength_zeroes_all",
            pointer=f"/regularizers/{position}/{name}",
            message=f"each step takes up to {threshold:g} off the size of every weight, where weights begin below 1: "
            "none is left.",
            remedy="Lower the strength or the learning rate.",
        )
        for position, regularizer in enumerate(spec.regularizers)
        for name in regularizer.thresholds
        if (threshold := reach * getattr(regularizer, name) * regularizer.strength_schedule.peak(run)) > 1
    ]


def _dropout_twice(layers: Sequence[AnyLayer]) -> list[SpecWarning]:
    kinds = [layer.kind for layer in layers]
    if ("dropout", "dropout") not in pairwise(kinds):
        return []
    return [
        SpecWarning(
            code="dropout_twice",
            pointer="/regularizers",
            message="Two dropout layers follow each other: together they drop more than either says.",
            remedy="Keep one of them.",
        )
    ]


def _no_test_rows(spec: JobSpec) -> list[SpecWarning]:
    if spec.data.test_fraction != 0:
        return []
    return [
        SpecWarning(
            code="no_test_rows",
            pointer="/data/test_fraction",
            message="Without test rows there is no generalization gap to report.",
            remedy="Keep a test split, e.g. 0.2.",
        )
    ]
