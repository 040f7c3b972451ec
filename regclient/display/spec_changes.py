"""A spec for people: what was set in it, and how two specs differ."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

import regcore

NOTHING: Final = "–"
_APART: Final = frozenset({"spec_version", "name", "labels"})
"""Fields that are shown elsewhere."""


def settings_of(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings of a spec that differ from the default: text by pointer."""
    return {
        pointer: format_setting(value)
        for name, part in _without_defaults(spec).items()
        if name not in _APART
        for pointer, value in _places(part, f"/{escaped(name)}")
    }


def changes_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    """Return the differences between two resolved specs: `old → new` by pointer."""
    return {
        pointer: f"{_shown(before)} → {_shown(after)}"
        for pointer, before, after in _differences(old, new, "")
        if pointer.split("/")[1] not in _APART
    }


def format_setting(value: Any) -> str:
    """Return a value of a spec as short text."""
    if value is None:
        return "none"
    if isinstance(value, Mapping) and "kind" in value:
        rest = " ".join(f"{name}={format_setting(inner)}" for name, inner in value.items() if name != "kind")
        return f"{value['kind']} {rest}".strip()
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(value: Any) -> str:
    return NOTHING if value is _ABSENT else format_setting(value)


def _without_defaults(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        known = regcore.JobSpec.model_validate(dict(spec))
    except ValidationError:  # from a newer server, or with a plug-in that this machine lacks: show all of it
        return spec
    given = known.model_dump(mode="json", by_alias=True, exclude_unset=True)
    changed = known.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {name: _kept(part, changed[name]) for name, part in given.items() if name in changed}


def _kept(given: Any, changed: Any) -> Any:
    """Return what was given, without defaults; `kind` is kept, because it says what the rest belongs to."""
    if isinstance(given, Mapping):
        names = [name for name in given if name == "kind" or name in changed]
        return {name: _kept(given[name], changed.get(name)) if name in changed else given[name] for name in names}
    if isinstance(given, list) and isinstance(changed, list) and len(given) == len(changed):
        return [_kept(one, other) for one, other in zip(given, changed, strict=True)]
    return given


def _places(value: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    """Yield the values that get a line each: those with a `kind`, and those without parts."""
    if isinstance(value, Mapping) and "kind" not in value:
        for name, part in value.items():
            yield from _places(part, f"{pointer}/{escaped(name)}")
    elif isinstance(value, list) and any(isinstance(part, Mapping) for part in value):
        for index, part in enumerate(value):
            yield from _places(part, f"{pointer}/{index}")
    else:
        yield pointer, value


_ABSENT: Final = object()


def _differences(old: Any, new: Any, pointer: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping) and old.get("kind") == new.get("kind"):
        for name in dict.fromkeys([*old, *new]):
            place = f"{pointer}/{escaped(name)}"
            yield from _differences(old.get(name, _ABSENT), new.get(name, _ABSENT), place)
    elif isinstance(old, list) and isinstance(new, list) and any(isinstance(part, Mapping) for part in (*old, *new)):
        for index in range(max(len(old), len(new))):
            before, after = (side[index] if index < len(side) else _ABSENT for side in (old, new))
            yield from _differences(before, after, f"{pointer}/{index}")
    elif old != new:
        yield pointer, old, new


def escaped(name: str) -> str:
    """Return a field's name as one part of a JSON Pointer."""
    return name.replace("~", "~0").replace("/", "~1")
