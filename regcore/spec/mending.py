"""A spec without what is wrong in it, so that what its other fields say together can be looked at too."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from jsonpointer import JsonPointer

from regcore.errors import FieldError, SpecError
from regcore.spec.job import JobSpec
from regcore.spec.validation import json_pointer, parse_spec

_ROUNDS: Final = 4
"""A field goes, then the object that needs it, then what needs that."""
_STAND_IN: Final = {"kind": "linear"}
"""For a model of which nothing is known."""

_RESTS_ON: Final = {
    "matches_nothing": ("/model",),
    "batch_too_large": ("/data",),
    "limit_too_large": ("/data",),
    "empty_split": ("/data",),
    "cannot_apply": ("/data", "/task"),
    "task_mismatch": (),
    "loss_mismatch": ("/task",),
    "wrong_length": ("/task",),
    "invalid_model": ("/model", "/task", "/regularizers"),
    "doubled": (),
    "out_of_range": ("/data", "/training"),
}
"""By a problem's code, the parts of the spec besides its own place that it follows from."""
_RESTS_ON_MOST: Final = ("/data", "/task", "/model", "/training")


@dataclass(frozen=True)
class Mended:
    """What is left of a spec.

    Attributes:
        spec: With defaults for what was wrong.
        wrong: Where that was.
        kept: Positions that its regularizers had.
    """

    spec: JobSpec
    wrong: Sequence[str]
    kept: Sequence[int]

    def also_wrong(self, problems: Sequence[FieldError]) -> list[FieldError]:
        """The problems of what is left that are problems of the whole too, with the places that they have there."""
        placed = [FieldError(_as_sent(one.pointer, self.kept), one.code, one.message) for one in problems]
        return [one for one in placed if not self._is_doubtful(one)]

    def _is_doubtful(self, problem: FieldError) -> bool:
        """Whether another value in a place that was wrong might make it go away."""
        places = (problem.pointer, *_RESTS_ON.get(problem.code, _RESTS_ON_MOST))
        return any(_is_in(wrong, place) or _is_in(place, wrong) for wrong in self.wrong for place in places)


def mend(body: Any, errors: Sequence[FieldError]) -> Mended | None:
    """Take out what is wrong, and what cannot be without it; None where too little is left.

    Args:
        body: JSON.
        errors: From `parse_spec`.
    """
    if not isinstance(body, dict):
        return None
    rest = deepcopy(body)
    wrong = [error.pointer for error in errors]
    for _ in range(_ROUNDS):
        for pointer in wrong:
            _take_out(rest, JsonPointer(pointer).parts)
        if "model" not in rest:
            rest["model"] = _STAND_IN
            wrong.append("/model")
        given = rest.get("regularizers", [])
        kept = [position for position, one in enumerate(given) if one is not None]
        try:
            spec = parse_spec({**rest, "regularizers": [given[position] for position in kept]})
        except SpecError as error:
            wrong += [_as_sent(one.pointer, kept) for one in error.errors]
        else:
            return Mended(spec, wrong, kept)
    return None


def _take_out(rest: Any, parts: Sequence[str]) -> None:
    """Take out a place, or what lacks it. Of lists the whole, but for a regularizer, which leaves None behind."""
    holder: Any = None
    last: str | int = ""
    node = rest
    for depth, part in enumerate(parts):
        if isinstance(node, list) and not (depth == 1 and parts[0] == "regularizers"):
            break
        key = int(part) if isinstance(node, list) else part
        is_there = isinstance(node, list) or (isinstance(node, dict) and key in node)
        if not is_there:
            break
        holder, last, node = node, key, node[key]
    if isinstance(holder, list):
        holder[int(last)] = None
    elif holder is not None:
        holder.pop(last, None)


def _as_sent(pointer: str, kept: Sequence[int]) -> str:
    """The pointer into the spec as it was sent."""
    parts = JsonPointer(pointer).parts
    if parts[:1] == ["regularizers"] and len(parts) > 1:
        parts[1] = str(kept[int(parts[1])])
    return json_pointer(parts)


def _is_in(pointer: str, place: str) -> bool:
    return f"{pointer}/".startswith(f"{place}/")
