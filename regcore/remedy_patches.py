"""Changes of a resolved spec that do better where a run's numbers ask for it, as JSON Patches."""

import math
from dataclasses import dataclass
from typing import Any, Final

from regcore.models import LinearModel, MLPModel
from regcore.regularizers import Regularizer
from regcore.regularizers.dropout import Dropout
from regcore.schedule import MAX_EPOCHS
from regcore.spec.job import JobSpec

_STEP: Final = 10
"""Strengths have an effect over powers of ten."""
_SHRINKAGE: Final = 10.0
"""How often over the whole run may take a weight to nothing, before the loss pulls it back."""
_LARGEST_SHRINKAGE: Final = 0.1
"""The largest share of a weight that one step may take."""
_USUAL_THRESHOLD: Final = 1e-3
"""Where a pull towards zero does not fall with the weight: one of a tenth drowns most losses, and no weight is left."""
_HIDDEN: Final = 64
_USUAL_DROPOUT: Final = 0.3
_WIDER: Final = 4
_LONGER: Final = 3
_PATIENCE_SHARE: Final = 10


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes:
        words: What to do, as a sentence.
        patch: A JSON Patch (RFC 6902) of the resolved spec; empty if there is no single one.
    """

    words: str
    patch: tuple[dict[str, Any], ...] = ()


def to_early_stopping(spec: JobSpec, num_evaluations: int) -> Change | None:
    """Keep the best evaluation's weights; None if the spec does so already."""
    if any(one.watches for one in spec.regularizers):
        return None
    value = {"kind": "early_stopping", "patience": max(5, num_evaluations // _PATIENCE_SHARE)}
    patch = ({"op": "add", "path": "/regularizers/-", "value": value},)
    return Change("Keep the weights of the best evaluation: early_stopping.", patch)


def balanced() -> Change:
    """Let every class count alike."""
    patch = {"op": "add", "path": "/task/class_weights", "value": "balanced"}
    return Change("Let each class count alike: task.class_weights 'balanced'.", (patch,))


def stronger(spec: JobSpec, num_steps: int, place: int | None = None) -> Change:
    """Raise a penalty or a decay, or add one if there is none.

    Args:
        spec: Resolved.
        num_steps: Optimizer steps of the run.
        place: The regularizer to raise; None for the first that has a strength.
    """
    rate = long_run_rate(spec)
    most, enough = _LARGEST_SHRINKAGE / rate, _SHRINKAGE / (rate * num_steps)
    places = [k for k, one in enumerate(spec.regularizers) if strengths_of(one)] if place is None else [place]
    if not places:
        kind = "weight_decay" if spec.optimizer.is_adaptive else "l2"
        value = {"kind": kind, "strength": _rounded(min(enough, most))}
        words = f"Regularize: {kind} of strength {value['strength']:g}."
        return Change(words, ({"op": "add", "path": "/regularizers/-", "value": value},))
    regularizer, at = spec.regularizers[places[0]], f"/regularizers/{places[0]}"
    least = {name: min(enough, _USUAL_THRESHOLD) for name in regularizer.thresholds}
    raised = {
        name: _rounded(min(max(_STEP * strength, least.get(name, enough)), most))
        for name, strength in strengths_of(regularizer).items()
    }
    if isinstance(regularizer, Dropout):
        raised = {"p": _USUAL_DROPOUT}
    told = ", ".join(f"{name} {strength:g}" for name, strength in raised.items())
    patch = tuple({"op": "replace", "path": f"{at}/{name}", "value": strength} for name, strength in raised.items())
    return Change(f"Try {regularizer.kind} with {told}.", patch)


def weaker(spec: JobSpec) -> Change | None:
    """Weaken every regularizer that holds weights back; None if there is none."""
    patch: list[dict[str, Any]] = []
    for place, regularizer in enumerate(spec.regularizers):
        # `strength` also of a penalty that holds back without making weights smaller.
        names = strengths_of(regularizer).keys() | ({"strength"} & regularizer.stronger.keys())
        weakened = {name: _rounded(value / _STEP**2) for name in sorted(names) if (value := getattr(regularizer, name))}
        if isinstance(regularizer, Dropout):
            weakened["p"] = _rounded(regularizer.p / _WIDER)
        patch += [
            {"op": "replace", "path": f"/regularizers/{place}/{name}", "value": value}
            for name, value in weakened.items()
        ]
    return Change("Regularize less.", tuple(patch)) if patch else None


def longer(spec: JobSpec, *, has_begun: bool) -> Change:
    """Train longer; with longer steps too if training has hardly begun."""
    epochs = min(MAX_EPOCHS, _LONGER * spec.training.epochs)
    patch = [{"op": "replace", "path": "/training/epochs", "value": epochs}]
    words = f"Train longer: {epochs:,} epochs."
    if not has_begun:
        rate = _rounded(_STEP * spec.optimizer.learning_rate)
        patch.append({"op": "replace", "path": "/optimizer/learning_rate", "value": rate})
        words = f"Train with longer steps, and for longer: learning rate {rate:g}, {epochs:,} epochs."
    return Change(words, tuple(patch))


def wider(spec: JobSpec) -> Change:
    """A larger network."""
    if isinstance(spec.model, LinearModel):
        value = {"kind": "mlp", "hidden": [_HIDDEN]}
        return Change(
            f"A linear model may be too simple: try a hidden layer of {_HIDDEN}.",
            ({"op": "replace", "path": "/model", "value": value},),
        )
    if isinstance(spec.model, MLPModel):
        hidden = [_WIDER * width for width in spec.model.hidden]
        return Change(
            f"Try a wider network: {', '.join(map(str, hidden))}.",
            ({"op": "replace", "path": "/model/hidden", "value": hidden},),
        )
    return Change("Try a larger network, or other features.")


def strengths_of(regularizer: Regularizer) -> dict[str, float]:
    """By field, the strengths that make weights smaller."""
    names = dict.fromkeys([*regularizer.decays, *regularizer.thresholds])
    return {name: float(getattr(regularizer, name)) for name in names}


def long_run_rate(spec: JobSpec) -> float:
    """How far a constant gradient of 1 moves a weight in a step, in the long run."""
    optimizer = spec.optimizer
    return optimizer.learning_rate if optimizer.is_adaptive else optimizer.learning_rate * optimizer.gain(math.inf)


def _rounded(value: float) -> float:
    return float(f"{value:.1g}")
