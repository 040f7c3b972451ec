"""Warnings about specs that can be trained but are unlikely to be meant."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

from pydantic import Field

from regcore.doubts import Doubt, RunShape
from regcore.frozen import Immutable
from regcore.layers import Layer, label_layers
from regcore.optim.base import LARGE_ADAPTIVE_STEP, LARGE_STEP, SMALL_DISTANCE
from regcore.parts import Threshold, decays_of, parts_of, thresholds_of
from regcore.schedule import joint_peak
from regcore.spec.job import JobSpec
from regcore.spec.kinds import TASKS

_SMALL_SHARE: Final = 0.5
_LARGE_DECAY: Final = 10.0
"""A strength from which, against a gradient below 1, weights stay below 0.1, their initial size."""
_LARGE_GRADIENT: Final = 100.0
_LARGE_RATIO: Final = 1e4
"""The largest ratio of class weights that a real data set is likely to need."""


class SpecWarning(Immutable):
    """One thing that is unlikely to be meant."""

    code: str
    pointer: str
    message: str
    remedy: str
    patch: list[dict[str, Any]] = Field(default=[])
    """A JSON Patch of the resolved spec that follows the remedy; empty where there is no single one."""

    @classmethod
    def of(cls, doubt: Doubt, at: str = "") -> "SpecWarning":
        """The doubt of the part at this pointer."""
        return cls(
            code=doubt.code,
            pointer=f"{at}{doubt.pointer}",
            message=doubt.message,
            remedy=doubt.remedy,
            patch=list(doubt.patch),
        )


def lint(
    spec: JobSpec, layers: Sequence[Layer], run: RunShape, *, regularizers_touch: Sequence[Sequence[str]]
) -> list[SpecWarning]:
    """Return what is doubtful in a resolved spec.

    Args:
        spec: Resolved.
        layers: After surgery.
        run: The length of the run.
        regularizers_touch: For each regularizer the parameters it acts on.
    """
    return [
        *_own_doubts(spec, run),
        *_gradient_decay_under_adaptive_optimizer(spec),
        *_two_decays(spec, regularizers_touch),
        *_two_of_a_kind(spec, regularizers_touch),
        *_penalties_before_norms(spec, layers, regularizers_touch),
        *_class_weights(spec, run),
        *_large_decays(spec, run),
        *_large_thresholds(spec, run),
        *_in_a_row(layers),
        *_no_test_rows(spec),
        *_unscaled_for_pretrained_weights(spec),
    ]


def _own_doubts(spec: JobSpec, run: RunShape) -> list[SpecWarning]:
    """The doubts that each part reports about itself."""
    found = [(part.pointer, doubt) for part in parts_of(spec) for doubt in part.spec.doubts(run)]
    found += _of_layers(spec.model.written_layers, "/model/layers", run)
    return [SpecWarning.of(one, pointer) for pointer, one in found]


def _of_layers(layers: Sequence[Layer], pointer: str, run: RunShape) -> Iterator[tuple[str, Doubt]]:
    """The doubts of layers and of those inside them, each with the layer's pointer."""
    for position, layer in enumerate(layers):
        here = f"{pointer}/{position}"
        for doubt in layer.doubts(run):
            yield here, doubt
        yield from _of_layers(layer.children(), f"{here}/layers", run)


def _gradient_decay_under_adaptive_optimizer(spec: JobSpec) -> list[SpecWarning]:
    return [
        SpecWarning(
            code="l2_in_adaptive_optimizer",
            pointer=f"/regularizers/{position}",
            message=f"{spec.optimizer.kind} rescales {regularizer.kind}'s gradient per weight, so it shrinks unevenly.",
            remedy="Use weight_decay for the ℓ₂ part, which is decoupled from the gradient (Loshchilov & Hutter 2019).",
        )
        for position, regularizer in enumerate(spec.regularizers)
        if regularizer.decays_by_gradient and spec.optimizer.is_adaptive
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


def _two_of_a_kind(spec: JobSpec, touch: Sequence[Sequence[str]]) -> Iterator[SpecWarning]:
    """Regularizers that say of themselves that two are doubtful, at the last one of each kind."""
    of_kind: dict[str, list[int]] = {}
    for position, regularizer in enumerate(spec.regularizers):
        of_kind.setdefault(regularizer.kind, []).append(position)
    for kind, (*others, last) in of_kind.items():
        twice = spec.regularizers[last].twice
        meet = any(not touch[last] or set(touch[last]) & set(touch[other]) for other in others)
        if meet and twice is not None:
            yield _warning(f"{kind}_twice", f"/regularizers/{last}", twice, "Keep one of them.")


def _penalties_before_norms(
    spec: JobSpec, layers: Sequence[Layer], touch: Sequence[Sequence[str]]
) -> Iterator[SpecWarning]:
    """A normalization divides the scale of the weights before it out, so that shrinking them changes no output."""
    before = tuple(_before_norms(layers))
    for position, regularizer in enumerate(spec.regularizers):
        names = [name for name in touch[position] if name.startswith(before)]
        if names and (regularizer.decays or regularizer.thresholds):
            yield _warning(
                "penalty_before_norm",
                f"/regularizers/{position}",
                f"a normalization divides the scale of {', '.join(names)} out: {regularizer.kind} changes no output, "
                "only how far a step of the optimizer turns them.",
                "Exclude them by select, unless that is meant.",
            )


def _before_norms(layers: Sequence[Layer], prefix: str = "") -> Iterator[str]:
    """What the names of tensors begin with whose scale the next layer removes."""
    labels = label_layers(layers, inside=bool(prefix))
    for label, layer, following in zip(labels, layers, [*layers, None][1:], strict=True):
        if layer.is_affine and following is not None and following.removes_scale:
            yield f"{prefix}{label}."
        yield from _before_norms(layer.children(), f"{prefix}{label}.")


def _class_weights(spec: JobSpec, run: RunShape) -> Iterator[SpecWarning]:
    """Class weights multiply the loss's gradient, whose size an adaptive optimizer divides out."""
    weights = spec.task.class_weights
    if not isinstance(weights, list):
        return
    optimizer, largest, smallest = spec.optimizer, max(weights), min(weights)
    step, weighted = optimizer.longest_step(run), optimizer.longest_step(run, largest)
    limit = LARGE_ADAPTIVE_STEP if optimizer.is_adaptive else LARGE_STEP
    pointer, remedy = "/task/class_weights", "Divide all of them by their mean: only their ratios tell classes apart."
    if step < limit <= weighted:
        yield _warning(
            "weights_too_large",
            pointer,
            f"the largest, {largest:g}, makes a step {weighted / step:.3g} times longer: few networks train so.",
            remedy,
        )
    if step * run.num_steps >= SMALL_DISTANCE > weighted * run.num_steps:
        yield _warning(
            "weights_too_small",
            pointer,
            f"the largest, {largest:g}, makes steps so short that all {run.num_steps} move weights by next to nothing.",
            remedy,
        )
    if largest / _LARGE_RATIO > smallest:
        yield _warning(
            "weights_too_unequal",
            pointer,
            f"beside a class of weight {largest:g} one of {smallest:g} hardly counts.",
            f"Keep their ratios below {_LARGE_RATIO:,.0f}.",
        )


def _large_decays(spec: JobSpec, run: RunShape) -> Iterator[SpecWarning]:
    optimizer = spec.optimizer
    for decay in decays_of(spec):
        factors = [optimizer.schedule, decay.schedule]
        share = _told(optimizer.learning_rate * decay.strength * joint_peak(run, factors))
        remedy = "Lower the strength or the learning rate."
        if share > 1:
            grows = share > _told(decay.growth_limit)
            limit = f"{decay.growth_limit:.3g}: steps make weights larger" if grows else "1: steps overshoot zero"
            message = f"learning rate × strength = {share:.3g} is above {limit}."
            yield _warning("strength_overshoots", decay.pointer, message, remedy)
            continue
        strength = decay.strength * decay.schedule.last(run)
        kept = 1 - optimizer.learning_rate * optimizer.schedule.last(run) * strength
        if kept < _SMALL_SHARE and strength > _LARGE_DECAY:
            message = f"the last step leaves {100 * kept:.3g} % of each weight: what was learned before it is gone."
            yield _warning("strength_forgets", decay.pointer, message, remedy)


def _large_thresholds(spec: JobSpec, run: RunShape) -> Iterator[SpecWarning]:
    if spec.optimizer.is_adaptive and TASKS[spec.task.kind].has_numbers and not spec.data.standardize_target:
        # gradients are in the targets' unit, and under an adaptive optimizer the effect of λ depends on their size
        return
    for threshold in thresholds_of(spec):
        if threshold.by_gradient and spec.optimizer.is_adaptive:
            yield from _drowning_gradient(spec, threshold, run)
        else:
            yield from _threshold_above_weights(spec, threshold, run)


def _drowning_gradient(spec: JobSpec, threshold: Threshold, run: RunShape) -> Iterator[SpecWarning]:
    """An adaptive optimizer divides both gradients by their common size."""
    gradient = threshold.strength * threshold.schedule.peak(run)
    if gradient > _LARGE_GRADIENT:
        yield _warning(
            "strength_drowns_loss",
            threshold.pointer,
            f"beside its gradient of {gradient:.3g} the loss's, usually below 1, hardly counts: {spec.optimizer.kind} "
            "divides by the size of both together.",
            "Lower the strength.",
        )


def _threshold_above_weights(spec: JobSpec, threshold: Threshold, run: RunShape) -> Iterator[SpecWarning]:
    optimizer = spec.optimizer
    # A proximal operator subtracts at once what the gradient would subtract in the long run.
    gain = optimizer.gain(run.num_steps if threshold.by_gradient else math.inf)
    factor = joint_peak(run, [optimizer.schedule, threshold.schedule])
    taken = _told(optimizer.learning_rate * threshold.strength * factor * gain)
    if taken <= 1:
        return
    code, end = "strength_zeroes_all", "none is left"
    if threshold.by_gradient:
        code, end = "strength_overshoots", "they are taken beyond zero, and do not come to rest"
    yield _warning(
        code,
        threshold.pointer,
        f"a step takes up to {taken:.3g} off the size of every weight, where weights begin below 1: {end}.",
        "Lower the strength or the learning rate.",
    )


def _told(number: float) -> float:
    """The number as the message shows it, so that the comparison uses the same value."""
    return float(f"{number:.3g}")


def _warning(code: str, pointer: str, message: str, remedy: str) -> SpecWarning:
    return SpecWarning(code=code, pointer=pointer, message=message, remedy=remedy)


def _in_a_row(layers: Sequence[Layer]) -> Iterator[SpecWarning]:
    """What layers say of the layer behind them, once for each code."""
    told: set[str] = set()
    for layer, following in pairwise(layers):
        for doubt in layer.doubts_before(following):
            if doubt.code not in told:
                told.add(doubt.code)
                yield _warning(doubt.code, "/regularizers", doubt.message, doubt.remedy)
    for layer in layers:
        for warning in _in_a_row(layer.children()):
            if warning.code not in told:
                told.add(warning.code)
                yield warning


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


def _unscaled_for_pretrained_weights(spec: JobSpec) -> list[SpecWarning]:
    if spec.model.pretrained is None or spec.data.standardize:
        return []
    return [
        SpecWarning(
            code="pretrained_on_scaled_images",
            pointer="/data/standardize",
            message="the pretrained weights know colour images with channels of mean 0 and variance 1: of pixels in "
            "[0, 1], mean (0.485, 0.456, 0.406) and deviation (0.229, 0.224, 0.225) were taken out.",
            remedy="Set data.standardize to true.",
            patch=[{"op": "replace", "path": "/data/standardize", "value": True}],
        )
    ]
