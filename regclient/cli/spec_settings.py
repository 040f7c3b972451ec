"""`--set training.epochs=20`: a spec changed on the command line."""

import json
import shlex
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, NoReturn

import jsonpatch
import typer

from regclient.display.spec_changes import escaped
from regclient.display.terminal import given_text
from regcore.errors import JsonSyntaxError, JsonValueError, SpecError
from regcore.json_text import read_json

_EXAMPLE = "--set training.epochs=20"
_EXAMPLE_CHANGES = {"training": {"epochs": 20}}
_OPERATIONS_SHOWN = 3


def change_spec(spec: Mapping[str, Any], settings: Sequence[str], num_seeds: int | None) -> dict[str, Any]:
    """Return a spec of a job or sweep changed by `--set` and `--seeds`; `--seeds` makes a job's spec a sweep's.

    Args:
        spec: The spec as read; it is not modified.
        settings: See `apply_settings`; in a sweep's spec they change the base.
        num_seeds: The seeds become 0 to num_seeds - 1; None leaves them unchanged.

    Raises:
        typer.BadParameter: A setting cannot be read, or its path does not fit the spec.
    """
    if not is_sweep_spec(spec):
        job = apply_settings(spec, settings)
        named: dict[str, Any] = {field: job[field] for field in ("name", "labels") if field in job}
        return job if num_seeds is None else {**named, "base": job, "seeds": list(range(num_seeds))}
    changed = dict(spec)
    if settings:
        if not isinstance(spec["base"], Mapping):
            _refuse("the sweep's base is not an object.")
        changed["base"] = apply_settings(spec["base"], settings)
    return changed if num_seeds is None else {**changed, "seeds": list(range(num_seeds))}


def is_sweep_spec(spec: Mapping[str, Any]) -> bool:
    """Whether this is the spec of a sweep: only those have a `base`."""
    return "base" in spec


def apply_settings(spec: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """Return the spec with each `PATH=VALUE` applied; objects and lists on the path are made if missing.

    Args:
        spec: A job's spec; it is not modified.
        settings: A path is names and indices separated by dots (`regularizers.0.strength`), or a JSON Pointer. A value
            is JSON, or text if it is not JSON.

    Raises:
        typer.BadParameter: One of them cannot be read, or its path leads into a value without parts.
    """
    changed = deepcopy(dict(spec))
    for text in map(given_text, settings):
        parts, value = _read(text)
        _put(changed, parts, value, text)
    return changed


def patch_of_settings(
    spec: Mapping[str, Any], operations: list[dict[str, Any]], settings: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a JSON Patch that applies a patch, and then the settings.

    Raises:
        typer.BadParameter: A setting cannot be read, or its path does not fit the spec.
    """
    from regcore.spec import apply_patch

    try:
        patched = apply_patch(dict(spec), operations)
    except SpecError:  # the server will refuse this patch, with the reason
        return operations
    more: list[dict[str, Any]] = jsonpatch.make_patch(patched, apply_settings(patched, settings)).patch
    return [*operations, *more]


def no_patch(given: Mapping[str, Any]) -> str:
    """Return the message for a patch that is an object: a part of a spec, or a single operation."""
    is_operation = {"op", "path"} <= given.keys()
    operations = [dict(given)] if is_operation else _operations(given or _EXAMPLE_CHANGES)
    shown = json.dumps(operations[:_OPERATIONS_SHOWN], ensure_ascii=False)
    said = f"--patch: expected a list of operations (JSON Patch, RFC 6902), received an object. Write '{shown}'"
    if is_operation:
        return f"{said}."
    setting = f"{_dotted(operations[0]['path'])}={json.dumps(operations[0]['value'])}"
    return f"{said}, or --set {shlex.quote(setting)}."


def _read(text: str) -> tuple[list[str], Any]:
    path, equals, value = text.partition("=")
    path = path.strip()
    pointer = path.startswith("/")
    parts = [_unescaped(part) for part in path[1:].split("/")] if pointer else path.split(".")
    if not equals or not all(parts):
        _refuse(f"expected PATH=VALUE, as in {_EXAMPLE}; received {text!r:.80}.")
    return parts, _value(value, text)


def _value(text: str, setting: str) -> Any:
    try:
        return read_json(text.encode(errors="surrogateescape"))
    except JsonSyntaxError as error:
        if text.lstrip().startswith(("{", "[", '"')):
            _refuse(f"the value in {setting!r:.80} is not valid JSON. {error}. A shell needs it in single quotes.")
        return text
    except JsonValueError:
        _refuse(f"the value in {setting!r:.80} cannot be stored: numbers must be finite, and text without NUL.")


def _put(spec: dict[str, Any], parts: list[str], value: Any, setting: str) -> None:
    node: Any = spec
    for depth, part in enumerate(parts[:-1]):
        key = _key(node, part, parts[:depth], setting)
        if isinstance(node, list) and key == len(node):
            node.append(None)
        held = node[key] if isinstance(node, list) else node.get(key)
        if held is None:
            held = node[key] = [] if parts[depth + 1] in ("0", "-") else {}
        node = held
    key = _key(node, parts[-1], parts[:-1], setting)
    if isinstance(node, list) and key == len(node):
        node.append(value)
    else:
        node[key] = value


def _key(node: Any, part: str, before: list[str], setting: str) -> Any:
    """Return the key or index of this node that a part of a path stands for."""
    if isinstance(node, dict):
        return part
    place = ".".join(before)
    if not isinstance(node, list):
        _refuse(f"{setting!r:.80} leads into {place}, which is {json.dumps(node)[:80]}, not an object or a list.")
    index = len(node) if part == "-" else int(part) if part.isascii() and part.isdigit() else None
    if index is None or index > len(node):
        has = f"{len(node)} item{'s' * (len(node) != 1)}"
        _refuse(f"{place} is a list of {has}; {setting!r:.80} may name 0 to {len(node)}, where {len(node)} adds one.")
    return index


def _operations(changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the JSON Patch that makes the same changes as this part of a spec."""
    return [{"op": "replace", "path": pointer, "value": value} for pointer, value in _leaves(changes, "")]


def _leaves(value: Any, pointer: str) -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping) or not value or "kind" in value:
        return [(pointer, value)]
    return [leaf for name, part in value.items() for leaf in _leaves(part, f"{pointer}/{escaped(name)}")]


def _dotted(pointer: str) -> str:
    """Return a pointer as a path with dots; one that contains a dot or an escape is unchanged."""
    return pointer if "." in pointer or "~" in pointer else pointer[1:].replace("/", ".")


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _refuse(said: str) -> NoReturn:
    raise typer.BadParameter(f"--set: {said}")
