"""Sentences about a sweep: the label of its axis, and the conclusions from its path and contrasts.

Pictures and the terminal both use them, so that they say the same.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from regclient.display.sweep_numbers import Contrasts

_KINDS = {"l0": "L0", "l1": "L1", "l2": "L2", "ema": "EMA", "sam": "SAM", "r_drop": "R-Drop"}
_FIELDS = {
    "p": "probability",
    "l1": "L1 strength",
    "l2": "L2 strength",
    "patience": "patience (epochs)",
    "warmup_epochs": "warm-up (epochs)",
    "batch_size": "batch size (rows)",
    "train_limit": "training rows",
}
_NAMED_ALONE = ("optimizer", "training", "data")
"""The parts of a spec whose fields are clear without the part's name: `learning rate`, `batch size`."""


def kind_label(kind: str) -> str:
    """What a regularizer is called for people."""
    return _KINDS.get(kind, kind.replace("_", " "))


def axis_label(pointer: str, base: Mapping[str, Any]) -> str:
    """Return a label for a JSON Pointer into a spec, such as `L1 strength`; else the pointer itself.

    Args:
        pointer: The pointer of an axis.
        base: The spec that it points into.
    """
    match pointer.split("/")[1:]:
        case ["regularizers", place, *fields] if fields:
            kind = _kind_at(base.get("regularizers"), place)
            return f"{kind_label(kind)} {_words(fields)}" if kind else pointer
        case ["model", "hidden", place] if place.isdecimal():
            return f"units of hidden layer {int(place) + 1}"
        case [part, field] if part in _NAMED_ALONE:
            return _words([field])
        case ["model", field]:
            return f"model {_words([field])}"
    return pointer


def path_sentences(path: Mapping[str, Any], label: str) -> list[str]:
    """Return the conclusions from a path: the best value, the one-standard-error value, and whether the range sufficed.

    Args:
        path: The server's JSON.
        label: The label of the axis.
    """
    points, best = path["points"], path.get("best_value")
    note = [str(path["note"])] if path.get("note") else []
    if best is None:
        return note
    metric = path["objective"]["metric"]
    point: Mapping[str, Any] = next((point for point in points if point["value"] == best), {})
    mean = ((point.get("metrics") or {}).get(metric) or point.get(metric) or {}).get("value")
    so_far = " so far" if any(point.get("num_missing") for point in points) else ""
    said = [f"Best {metric}{so_far}{'' if mean is None else f': {mean:.4g}'}, at {label} {best:.3g}."]
    return [*said, *_simplest(path, best), *_edge([point["value"] for point in points], best), *note]


def contrast_sentences(contrasts: Contrasts) -> list[str]:
    """Return how to read contrasts: which side is better, the correction, and notes with the contrasts they concern."""
    labels: dict[str, list[str]] = {}
    for row in contrasts.rows:
        if row.note:
            labels.setdefault(row.note, []).append(row.label)
    notes = [
        note if len(named) == len(contrasts.rows) else f"{', '.join(named)}: {note}" for note, named in labels.items()
    ]
    return [f"{contrasts.axis}; p is corrected for all of them.", *notes]


def _simplest(path: Mapping[str, Any], best: float) -> list[str]:
    simplest = path.get("one_standard_error_value")
    if simplest is None:
        return []
    if simplest == best:
        return ["No stronger value lies within one standard error of it."]
    return [f"{simplest:.3g} is the strongest value within one standard error of it, so hardly worse."]


def _edge(values: Sequence[float], best: float) -> list[str]:
    if len(values) < 2 or min(values) < best < max(values):
        return []
    if best == 0:
        return ["The best value is 0: it does better without."]
    end, side = ("largest", "above") if best == max(values) else ("smallest", "below")
    return [f"The best value is the {end} that was tried: widen the range {side} it."]


def _kind_at(regularizers: Any, place: str) -> str:
    """Return the kind of a regularizer of the base; "" if there is none at this place."""
    known = regularizers if isinstance(regularizers, list) else []
    found = known[int(place)] if place.isdecimal() and int(place) < len(known) else None
    return str(found.get("kind") or "") if isinstance(found, Mapping) else ""


def _words(fields: Sequence[str]) -> str:
    return " ".join(_FIELDS.get(field, field.replace("_", " ")) for field in fields)
