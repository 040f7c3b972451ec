"""A spec without its wrong fields, so that contradictions between the other fields can be reported too."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from jsonpointer import JsonPointer

from regcore.errors import FieldError, SpecError, json_pointer
from regcore.json_values import plain
from regcore.spec.hints import meant
from regcore.spec.job import JobSpec
from regcore.spec.kinds import MODELS
from regcore.spec.validation import parse_spec

_ROUNDS: Final = 4
"""Rounds of removal: a field, then the object that needs it, then what needs that."""
_STAND_IN: Final = {"kind": "linear"}
"""Stands in for an unknown model."""

_HELD_OUT: Final = ("/data/test_fraction", "/data/validation_fraction")
_TARGET: Final = ("/data/target", "/data/types")
"""The fields of an own table on which its task and its classes depend."""
_TRAIN_ROWS: Final = (*_HELD_OUT, *_TARGET, "/data/train_limit", "/data/split_column", "/data/group_column")
_STEPS: Final = (*_TRAIN_ROWS, "/training/batch_size", "/training/grad_accumulation", "/training/epochs")
"""The fields on which rows and steps depend, besides the data set, without which no spec is mended."""
_LAYERS: Final = (
    *sorted({f"/model/{name}" for model in MODELS.values() for name in model.model_fields} - {"/model/activation"}),
)
"""The fields on which names and shapes of parameters depend."""
_RESTS_ON: Final = {
    "matches_nothing": ("{part}/select", "{part}/where", *_LAYERS),
    "batch_too_large": (*_TRAIN_ROWS, "{place}"),
    "limit_too_large": _TRAIN_ROWS,
    "empty_split": _TRAIN_ROWS,
    "cannot_apply": ("{part}/kind", "{part}/metric", *_HELD_OUT),
    "task_mismatch": ("{place}", *_TARGET),
    "loss_mismatch": ("{place}", *_TARGET),
    "wrong_length": ("{place}", *_TARGET),
    "unknown_column": ("{place}",),
    "unreadable_column": ("{place}",),
    "invalid_model": (*_LAYERS, "/task/loss"),
    "doubled": ("{part}/kind",),
    "out_of_range": ("{part}/schedule", *_STEPS),
}
"""By a problem's code, the places that it depends on: its own, fields of its part, and fields elsewhere.

Any other problem may depend on every field.
"""
_CEILINGS_REST_ON: Final = {
    "/training/epochs": _STEPS,
    **{
        f"/model/{model.deep_field}": ("/model/kind", "/model/hidden", f"/model/{model.deep_field}")
        for model in MODELS.values()
        if model.deep_field is not None
    },
    "/model": (*_LAYERS, "/task/loss", *_TARGET, "/data/exclude", "/data/features"),
}
"""The same for exceeded ceilings, by place."""
_NO_FIELDS: Final = ("unknown_field", "invalid_key")
"""Codes of unknown names. Removing them changes nothing but the fields that they may be meant for."""


@dataclass(frozen=True)
class Mended:
    """The rest of a spec.

    Attributes:
        spec: The spec with defaults for wrong fields.
        wrong: The places of wrong fields.
        unknown: Unknown names, each of which may be meant for a field.
        kept: The original positions of its regularizers.
    """

    spec: JobSpec
    wrong: Sequence[str]
    unknown: Sequence[str]
    kept: Sequence[int]

    def also_wrong(self, problems: Sequence[FieldError]) -> list[FieldError]:
        """The problems of the rest that are also problems of the whole, at their places in the whole."""
        return [
            FieldError(_as_sent(one.pointer, self.kept), one.code, one.message)
            for one in problems
            if not any(map(self._is_doubtful, self._rests_on(one)))
        ]

    def _rests_on(self, problem: FieldError) -> list[str]:
        """The places of the sent spec on which the problem depends."""
        place = problem.pointer
        parts = JsonPointer(place).parts
        in_list = parts[:1] == ["regularizers"]
        part = json_pointer(parts[: 1 + in_list])
        is_ceiling = problem.code == "over_ceiling"
        rules = _CEILINGS_REST_ON.get(place, ("",)) if is_ceiling else _RESTS_ON.get(problem.code, ("",))
        found = [one.format(part=part, place=place) for one in rules]
        owner = self.spec.regularizers[int(parts[1])] if in_list else self.spec.optimizer
        if problem.code == "out_of_range":
            found += [f"{part}/{field}" for field in owner.scheduled]
        if problem.code == "matches_nothing" and isinstance(getattr(owner, "where", None), list):
            found.append("/regularizers")  # whose layers have names too
        return [_as_sent(one, self.kept) for one in found]

    def _is_doubtful(self, place: str) -> bool:
        """Whether this place was wrong, or may be meant by an unknown name."""
        names = [name for name in JsonPointer(place).parts if not name.isdigit()]
        return any(touch(wrong, place) for wrong in self.wrong) or any(
            meant(name, names) is not None for name in self.unknown
        )


def mend(body: Any, errors: Sequence[FieldError]) -> Mended | None:
    """Remove what is wrong, and what depends on it; None if too little is left.

    Args:
        body: JSON, or Python values that stand for it.
        errors: From `parse_spec`.
    """
    rest = plain(body)  # a copy
    if not isinstance(rest, dict):
        return None
    wrong: list[str] = []
    unknown: list[str] = []
    for _ in range(_ROUNDS):
        for parts in [JsonPointer(one.pointer).parts for one in errors if one.code in _NO_FIELDS]:
            _remove(rest, parts)
            unknown.append(parts[-1])
        for pointer in [one.pointer for one in errors if one.code not in _NO_FIELDS]:
            _take_out(rest, JsonPointer(pointer).parts)
            wrong.append(pointer)
        if "model" not in rest:
            rest["model"] = _STAND_IN
            wrong.append("/model")
        given = rest.get("regularizers", [])
        kept = [position for position, one in enumerate(given) if one is not None]
        try:
            spec = parse_spec({**rest, "regularizers": [given[position] for position in kept]})
        except SpecError as error:
            errors = [FieldError(_as_sent(one.pointer, kept), one.code, one.message) for one in error.errors]
        else:
            return Mended(spec, wrong, unknown, kept)
    return None


def _remove(rest: Any, parts: Sequence[str]) -> None:
    """Remove one existing key."""
    *outer, last = parts
    node = rest
    for part in outer:
        node = node[int(part) if isinstance(node, list) else part]
    for key in [key for key in node if str(key) == last]:
        del node[key]


def _take_out(rest: Any, parts: Sequence[str]) -> None:
    """Remove a place, or the object that lacks it. Of lists remove the whole, but replace a regularizer by None.

    Does nothing if something around the place has been removed already.
    """
    holder: Any = None
    last: Any = None
    node = rest
    for depth, part in enumerate(parts):
        if isinstance(node, list) and not (depth == 1 and parts[0] == "regularizers"):
            break
        key: Any = int(part) if isinstance(node, list) else part
        if isinstance(node, dict) and key not in node and depth == len(parts) - 1:
            break
        if not isinstance(node, list) and not (isinstance(node, dict) and key in node):
            return
        holder, last, node = node, key, node[key]
    if isinstance(holder, list):
        holder[last] = None
    elif holder is not None:
        del holder[last]


def _as_sent(pointer: str, kept: Sequence[int]) -> str:
    """The pointer into the spec as it was sent."""
    parts = JsonPointer(pointer).parts
    if parts[:1] == ["regularizers"] and len(parts) > 1:
        parts[1] = str(kept[int(parts[1])])
    return json_pointer(parts)


def touch(one: str, other: str) -> bool:
    """Whether one of two places lies in the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")
