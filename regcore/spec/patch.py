"""JSON Patch on a spec: the form of changes in a sweep's variant, a rerun and a report's suggestion.

Source: RFC 6902, JavaScript Object Notation (JSON) Patch.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Annotated, Any, Literal

import jsonpatch
from jsonpointer import JsonPointer, JsonPointerException
from pydantic import AfterValidator, ConfigDict, Field

from regcore.errors import FieldError, SpecError, json_pointer
from regcore.frozen import Frozen
from regcore.json_values import checked
from regcore.spec.hints import suggest
from regcore.spec.validation import parse_as, shown

MAX_OPERATIONS = 1_000
MAX_BYTES = 1_000_000
"""The most that a patch may copy, as JSON: forty copies of the whole into itself would fill any memory."""

_NAMES_SHOWN = 12


def _as_pointer(text: str) -> str:
    try:
        JsonPointer(text)
    except JsonPointerException:
        message = f"must be a JSON Pointer such as /training/epochs; received {shown(text)}. Begin with a slash"
        raise ValueError(message) from None
    return text


Pointer = Annotated[
    str, AfterValidator(_as_pointer), Field(json_schema_extra={"format": "json-pointer"}, examples=["/training/epochs"])
]


AnyJson = Annotated[Any, AfterValidator(checked)]
"""Any value; it is checked after it was put into a spec."""


class _Operation(Frozen):
    # Members that an operation does not define are ignored: RFC 6902, §4.
    model_config = ConfigDict(extra="ignore")

    path: Pointer
    """The place that it acts on."""


class AddOperation(_Operation):
    """Puts a value into an object, or into a list before the item at that place; `-` is the place after the last."""

    op: Literal["add"]
    value: AnyJson


class RemoveOperation(_Operation):
    """Takes a value out."""

    op: Literal["remove"]


class ReplaceOperation(_Operation):
    """Replaces an existing value."""

    op: Literal["replace"]
    value: AnyJson


class MoveOperation(_Operation):
    """Removes a value and adds it elsewhere."""

    op: Literal["move"]
    from_: Pointer = Field(alias="from")


class CopyOperation(_Operation):
    """Adds a copy of another place's value."""

    op: Literal["copy"]
    from_: Pointer = Field(alias="from")


class TestOperation(_Operation):
    """Refuses the whole patch unless the place has this value."""

    op: Literal["test"]
    value: AnyJson


Operation = Annotated[
    AddOperation | RemoveOperation | ReplaceOperation | MoveOperation | CopyOperation | TestOperation,
    Field(discriminator="op"),
]
Patch = Annotated[list[Operation], Field(max_length=MAX_OPERATIONS)]


class _Patched(Frozen):
    patch: Patch


def apply_patch(document: Any, patch: Any, *, at: str = "/patch") -> Any:
    """Return the patched document; neither argument is changed.

    Args:
        document: Any JSON value; for a spec, its `resolved_spec`, which has every field.
        patch: A list of operations, as JSON.
        at: The patch's place in the request's body, for the pointers of errors.

    Raises:
        SpecError: The patch is invalid, or cannot be applied; nothing was changed.
    """
    try:
        parse_as(_Patched, {"patch": patch})
    except SpecError as error:
        raise error.moved(lambda one: _moved(one, at)) from None
    patched = deepcopy(document)
    copied_bytes = 0
    for position, operation in enumerate(deepcopy(patch)):
        _refuse_dead_ends(patched, operation, position, at)
        if operation["op"] == "copy":
            copied_bytes += len(json.dumps(JsonPointer(operation["from"]).resolve(patched)))
            if copied_bytes > MAX_BYTES:
                message = f"patch.{position} makes what the patch copies larger than {MAX_BYTES:,} bytes. Copy less."
                raise SpecError([FieldError(f"{at}/{position}", "too_large", message)])
        patched = _apply(patched, operation, position, at)
    return patched


def _refuse_dead_ends(document: Any, operation: Mapping[str, Any], position: int, at: str) -> None:
    """Refuse an operation on a missing place."""
    for field in ("from", "path"):
        if field in operation and (field == "path" or operation["op"] in ("move", "copy")):
            must_exist = field == "from" or operation["op"] in ("remove", "replace", "test")
            problem = look_up(document, operation[field], must_exist=must_exist)
            if problem:
                message = f"patch.{position}.{field} {operation[field]!r:.200} leads nowhere: {problem}"
                raise SpecError([FieldError(f"{at}/{position}/{field}", "path_not_found", message)])


def _apply(document: Any, operation: Mapping[str, Any], position: int, at: str) -> Any:
    try:
        return jsonpatch.JsonPatch([operation]).apply(document, in_place=True)
    except jsonpatch.JsonPatchTestFailed:
        there = JsonPointer(operation["path"]).resolve(document)
        message = (
            f"patch.{position} expected {shown(operation['value'])} at {operation['path']!r:.200}; there is "
            f"{shown(there)}. Look at the spec again, and correct the patch."
        )
        raise SpecError([FieldError(f"{at}/{position}/value", "test_failed", message)]) from None
    except (jsonpatch.JsonPatchException, JsonPointerException, RecursionError) as error:
        message = f"patch.{position} cannot be applied: {str(error) or 'no reason given'}. Correct it."
        raise SpecError([FieldError(f"{at}/{position}", "cannot_apply", message)]) from None


def look_up(document: Any, pointer: str, *, must_exist: bool) -> str | None:
    """Return where a pointer fails, and what is there instead; None if an operation can act there.

    Args:
        document: The document.
        pointer: RFC 6901.
        must_exist: Whether a value must exist there; otherwise a new key is allowed, or the place after a list's last
            item.
    """
    parts = JsonPointer(pointer).parts
    node = document
    for depth, part in enumerate(parts):
        is_new = depth == len(parts) - 1 and not must_exist
        found = _step(node, part, is_new=is_new)
        if found is not None:
            return f"{json_pointer(parts[:depth]) or 'the spec'} {found}"
        if is_new:
            break
        node = node[int(part)] if isinstance(node, list) else node[part]
    return None


def _step(node: Any, part: str, *, is_new: bool) -> str | None:
    """What is wrong with this part of a pointer at this node."""
    if isinstance(node, Mapping):
        if part in node or is_new:
            return None
        return f"has no {part!r:.80}. It has {_enumerated(node)}.{suggest(part, list(node))}"
    if isinstance(node, list):
        is_index = part.isascii() and part.isdigit() and (part == "0" or part[0] != "0")
        if (is_new and part == "-") or (is_index and int(part) < len(node) + is_new):
            return None
        last = "no item" if not node else f"the items 0 to {len(node) - 1}" if len(node) > 1 else "the item 0 alone"
        return f"is a list and has {last}. Use one of these{', or - for the place behind the last' * is_new}."
    return f"is {shown(node)}, which has nothing in it. Point at a place that is there."


def _enumerated(names: Iterable[str]) -> str:
    known: Sequence[str] = list(names)
    return (", ".join(known[:_NAMES_SHOWN]) + ", …" * (len(known) > _NAMES_SHOWN)) or "nothing"


def _moved(error: FieldError, at: str) -> FieldError:
    """The same error, for a patch elsewhere in the body."""
    return FieldError(at + error.pointer.removeprefix("/patch"), error.code, error.message)
