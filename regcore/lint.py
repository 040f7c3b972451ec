"""Warnings about specs that can be trained, but hardly as meant."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from regcore.frozen import Immutable
from regcore.layers import AnyLayer
from regcore.regularizers.l2 import L2
from regcore.regularizers.weight_decay import WeightDecay
from regcore.spec.job import JobSpec

ADAPTIVE = ("adam", "adamw", "rmsprop")


class SpecWarning(Immutable):
    """One thing that deserves a second look."""

    code: str
    pointer: str
    message: str
    remedy: str


def lint(
    spec: JobSpec, layers: Sequence[AnyLayer], *, regularizers_touch: Sequence[Sequence[str]]
) -> list[SpecWarning]:
    """What is doubtful in a resolved spec.

    Args:
        spec: Resolved.
        layers: After surgery.
        regularizers_touch: For each regularizer the parameters it acts on.
    """
    return [
        *_l2_under_adaptive_optimizer(spec),
        *_two_decays(spec, regularizers_touch),
        *_vanishing_weights(spec),
        *_dropout_twice(layers),
        *_no_test_rows(spec),
    ]


def _l2_under_adaptive_optimizer(spec: JobSpec) -> list[SpecWarning]:
    return [
        SpecWarning(
            code="l2_in_adaptive_optimizer",
            pointer=f"/regularizers/{position}",
            message=f"{spec.optimizer.kind} rescales {regularizer.kind}'s gradient per weight, so it shrinks unevenly.",
            remedy="Use weight_decay for the ℓ₂ part, which is decoupled from the gradient (Loshchilov & Hutter 2019).",
        )
        for position, regularizer in enumerate(spec.regularizers)
        if regularizer.kind in ("l2", "elastic_net") and spec.optimizer.kind in ADAPTIVE
    ]


def _two_decays(spec: JobSpec, touch: Sequence[Sequence[str]]) -> list[SpecWarning]:
    decays = [p for p, r in enumerate(spec.regularizers) if r.kind in ("l2", "weight_decay", "elastic_net")]
    times = Counter(name for position in decays for name in touch[position])
    by_optimizer = getattr(spec.optimizer, "weight_decay", 0) > 0
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


def _vanishing_weights(spec: JobSpec) -> list[SpecWarning]:
    rate = spec.optimizer.learning_rate
    decays = [(p, r) for p, r in enumerate(spec.regularizers) if isinstance(r, (L2, WeightDecay))]
    return [
        SpecWarning(
            code="strength_overshoots",
            pointer=f"/regularizers/{position}/strength",
            message=f"learning rate × strength = {rate * regularizer.strength:g} is above 1: steps overshoot zero.",
            remedy="Lower the strength or the learning rate.",
        )
        for position, regularizer in decays
        if rate * regularizer.strength > 1
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
