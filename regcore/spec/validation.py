"""From pydantic's errors to ours: a JSON Pointer, what was expected, what came, what to do."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, reduce
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from regcore.errors import MAX_ERRORS, FieldError, SpecError, in_words, json_pointer, shortened
from regcore.json_values import plain
from regcore.spec.hints import is_number, letters, say_how, say_kind, say_where, suggest
from regcore.spec.job import JobSpec

Body = TypeVar("Body", bound=BaseModel)
_Place = tuple[list[str | int], Any, bool, bool]
"""The path to it, the value there, whether a union's branch was named last, and whether one comes next."""

_CODES = {
    "missing": "missing_field",
    "extra_forbidden": "unknown_field",
    "union_tag_invalid": "unknown_kind",
    "union_tag_not_found": "missing_kind",
    "literal_error": "unknown_value",
    "finite_number": "not_finite",
}

_PHRASES = {
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must have at least {min_length} item(s)",
    "too_long": "must have at most {max_length} item(s)",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
}

_MAX_DEPTH = 2
_MAX_PLACED = 10_000
_MAX_NAMED = 3
_OF_PARTS = frozenset({"list_type", "dict_type", "model_type", "model_attributes_type"})
"""Error types for a value that is not the expected object or list."""
_OF_NUMBERS = frozenset({"int_type", "float_type"})


def parse_spec(spec: Any) -> JobSpec:
    """A job spec from JSON. Raises SpecError with every wrong place."""
    return parse_as(JobSpec, spec)


def parse_as(model: type[Body], body: Any) -> Body:
    """A body of this model from JSON. Raises SpecError with every wrong place."""
    if isinstance(body, model):
        return body
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise refusal(error, plain(body), model) from None


def refusal(error: ValidationError, body: Any, model: type[BaseModel] = JobSpec) -> SpecError:
    """Pydantic's errors about `body`, as ours. Each place is named once, however many union branches failed.

    A body may hold 100,000 mistakes: no more are explained than are listed, and beyond `_MAX_PLACED` the rest is only
    counted, error by error.
    """
    places = _Places(body, model)
    errors = error.errors(include_url=False)
    found: dict[str, list[tuple[Mapping[str, Any], list[str | int]]]] = {}
    for one in errors[:_MAX_PLACED]:
        path = places.walk(one)
        found.setdefault(json_pointer([*path, *_tag(one)]), []).append((one, path))
    # If one branch of a union got further into the value than the others, it was meant.
    outer = {pointer[:end] for pointer in found for end in range(len(pointer)) if pointer[end] == "/"}
    inner = [pointer for pointer in found if pointer not in outer]
    explained = [_explain_place(found[pointer], body, model) for pointer in inner[:MAX_ERRORS]]
    return SpecError(explained, len(inner) - len(explained) + max(0, len(errors) - _MAX_PLACED))


def _explain_place(
    found: Sequence[tuple[Mapping[str, Any], list[str | int]]], body: Any, model: type[BaseModel]
) -> FieldError:
    """All errors of one place."""
    errors = [error for error, _ in found]
    if all(error["type"] == "literal_error" for error in errors):  # each branch names its own words alone
        expected = ", ".join(error["ctx"]["expected"] for error in errors)
        found = [({**errors[0], "ctx": {"expected": expected}}, found[0][1])]
    explained = [_explain(error, path, body, model) for error, path in found]
    messages = dict.fromkeys(one.message for one in explained)
    return FieldError(explained[0].pointer, explained[0].code, " Or: ".join(messages))


class _Places:
    """The places of pydantic's errors in a body. What several have in common is looked up once."""

    def __init__(self, body: Any, model: type[BaseModel]) -> None:
        self._body = body
        self._model = model
        self._known: dict[tuple[str | int, ...], _Place] = {(): self._at([], body, is_branch=False)}

    def walk(self, error: Mapping[str, Any]) -> list[str | int]:
        """The path in the body, without the names of union branches that pydantic inserts."""
        path = self._look_up(tuple(error["loc"]))[0]
        name = {"missing": error["loc"][-1:], "invalid_key": (error.get("input"),)}.get(error["type"], ())
        return path if path[-1:] == [*name] else [*path, *map(_as_part, name)]

    def _look_up(self, loc: tuple[str | int, ...]) -> _Place:
        known = self._known.get(loc)
        if known is None:
            path, node, was_branch, has_branches = self._look_up(loc[:-1])
            part = loc[-1]
            is_branch = not was_branch and has_branches
            is_key = (isinstance(node, Mapping) and part in node) or (
                isinstance(node, Sequence) and isinstance(part, int)
            )
            if is_key and not is_branch and not isinstance(node, str):
                path, node = [*path, part], _item(node, part)
            known = self._known[loc] = self._at(path, node, is_branch=is_branch)
        return known

    def _at(self, path: list[str | int], node: Any, *, is_branch: bool) -> _Place:
        # An empty value has no content that could distinguish a branch.
        holds = isinstance(node, Mapping | list)
        return path, node, is_branch, holds and "discriminator" in _field_at(path, self._body, self._model)


def _tag(error: Mapping[str, Any]) -> list[str]:
    """The field with an object's kind, if that is wrong."""
    is_of_kind = error["type"] in ("union_tag_invalid", "union_tag_not_found")
    return [error["ctx"]["discriminator"].strip("'")] if is_of_kind else []


def _as_part(name: Any) -> str | int:
    return name if isinstance(name, int) else str(name)


def _item(node: Any, part: str | int) -> Any:
    try:
        return node[part]
    except (KeyError, IndexError, TypeError):
        return None


def _explain(error: Mapping[str, Any], path: list[str | int], body: Any, model: type[BaseModel]) -> FieldError:
    kind, context, pointer = error["type"], error.get("ctx", {}), json_pointer(path)
    where = in_words(path)
    field = next((part for part in reversed(path) if isinstance(part, str)), "")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tag = context["discriminator"].strip("'")
        if "expected_tags" not in context:
            kinds = ", ".join(_schema_at(path, body, model).get("discriminator", {}).get("mapping", {}))
            message = f"{where}.{tag} is required and is missing. Add it: one of {kinds}."
            return FieldError(f"{pointer}/{tag}", _CODES[kind], message + say_kind(error.get("input"), field))
        expected = [name.strip().strip("'") for name in context["expected_tags"].split(",")]
        received = _item(_at(body, path), tag)
        message = f"{where}.{tag} must be one of {', '.join(expected)}; received {shown(received)}."
        hint = suggest(received, expected) or say_kind(received, field)
        return FieldError(f"{pointer}/{tag}", _CODES[kind], message + hint)
    if kind == "extra_forbidden":
        known = _known_fields(path, body, model)
        fields = f"; there are {', '.join(known)}" if known else ""
        message = f"{where} is not a field here{fields}. Remove it, or correct its name."
        own_kind = _item(_at(body, path[:-1]), "kind")
        return FieldError(pointer, _CODES[kind], message + say_where(str(path[-1]), known, _homes(model), own_kind))
    if kind == "invalid_key" or _is_name(error, path):
        rule = _as_phrase(error["msg"]) if kind == "string_pattern_mismatch" else "must be text"
        message = f"each name in {in_words(path[:-1])} {rule}; received {shown(error.get('input'))}. Correct the name."
        return FieldError(pointer, kind, message)
    if kind in ("recursion_loop", "recursion_depth_exceeded"):
        outer = path[:_MAX_NAMED]  # hundreds of names say nothing
        return FieldError(json_pointer(outer), "too_deep", f"{in_words(outer)} is nested too deeply. Make it flatter.")
    if kind == "missing":
        return FieldError(pointer, _CODES[kind], f"{where} is required and is missing. Add it.")
    if kind == "literal_error":
        expected = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        message = f"{where} must be one of {', '.join(expected)}; received {shown(error.get('input'))}."
        return FieldError(pointer, _CODES[kind], message + suggest(error.get("input"), expected))
    if kind == "value_error":
        return FieldError(pointer, "invalid_value", f"{where}: {context['error']}")
    rule = _PHRASES[kind].format(**context) if kind in _PHRASES else _as_phrase(error["msg"])
    message = f"{where} {rule}; received {shown(error.get('input'))}. Correct the value."
    if kind in _OF_PARTS:
        message += say_how(error.get("input"), field, in_list=kind == "list_type")
    if kind in _OF_NUMBERS and is_number(error.get("input")):
        message += " Write it without quotes."
    return FieldError(pointer, _CODES.get(kind, kind), message)


def _is_name(error: Mapping[str, Any], path: Sequence[str | int]) -> bool:
    """Whether a name in an object is wrong, and not its value."""
    return len(error["loc"]) > len(path) and error["loc"][-1] == "[key]"


def _at(body: Any, path: Sequence[str | int]) -> Any:
    return reduce(_item, path, body)


def _as_phrase(said: str) -> str:
    """Pydantic's message, changed to continue a sentence that begins with the field's name."""
    return said.replace("Input should be", "must be").replace("String should", "should")


def takes_whole_numbers(place: Sequence[str | int], body: Any, model: type[BaseModel] = JobSpec) -> bool:
    """Whether a field takes only whole numbers, by the model's schema.

    Args:
        place: Keys and positions down to the field.
        body: JSON, valid or not; it gives the kind of each object on the way.
        model: The model of the body.
    """
    field = _schema_at(place, body, model)
    types = {branch.get("type") for branch in field.get("anyOf", [field])}
    return "integer" in types and "number" not in types


def _known_fields(path: Sequence[str | int], body: Any, model: type[BaseModel]) -> list[str]:
    """Names of the fields that an object at this place may have."""
    return list(_schema_at(path[:-1], body, model).get("properties", {}))


def _schema_at(path: Sequence[str | int], body: Any, model: type[BaseModel]) -> Mapping[str, Any]:
    """The model's schema for this place, for the kind that the value names; empty if there is none."""
    return _resolve(_field_at(path, body, model), _schema(model), _at(body, path))


def _field_at(path: Sequence[str | int], body: Any, model: type[BaseModel]) -> Mapping[str, Any]:
    """The model's schema for this place, whatever the value; empty if there is none."""
    root = _schema(model)
    node: Mapping[str, Any] = root
    for part in path:
        node = _resolve(node, root, body)
        node = node.get("items", {}) if isinstance(part, int) else node.get("properties", {}).get(part, {})
        body = _item(body, part)
    return node


@cache
def _homes(model: type[BaseModel]) -> Mapping[str, str]:
    """The place of each field, in words, by the letters of its name."""
    root = _schema(model)
    homes: dict[str, dict[str, None]] = {}
    for field, place in _places(root, root, ""):
        if field not in ("kind", "name"):
            homes.setdefault(letters(field), {})[place if "." in place else f"{place}, a field of the whole"] = None
    return {field: " or ".join(found) for field, found in homes.items()}


def _places(node: Mapping[str, Any], root: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Each field of the objects that may be here, and of objects inside them, with its place in words."""
    branches = list(_objects_of(node, root))
    for field in dict.fromkeys(name for branch in branches for name in branch["properties"]):
        having = [branch["properties"] for branch in branches if field in branch["properties"]]
        kinds = [properties["kind"]["const"] for properties in having if "const" in properties.get("kind", {})]
        of_kind = f" of kind {', '.join(kinds)}" if kinds and len(having) < len(branches) else ""
        yield field, f"{prefix}{field}{of_kind}"
        if prefix.count(".") < _MAX_DEPTH:
            for properties in having:
                yield from _places(properties[field], root, f"{prefix}{field}.")


def _objects_of(node: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schemas of objects that may be here, or be items of a list here."""
    if "$ref" in node:
        node = root["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    if "properties" in node:
        yield node
    for branch in [*node.get("anyOf", []), *node.get("oneOf", []), *([node["items"]] if "items" in node else [])]:
        yield from _objects_of(branch, root)


@cache
def _schema(model: type[BaseModel]) -> Mapping[str, Any]:
    return model.model_json_schema()


def _resolve(node: Mapping[str, Any], root: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    """Resolve references, to the schema of the type and kind that the value has; without kinds, whose fields it has."""
    if "anyOf" in node and isinstance(value, Mapping | list):
        wanted = "items" if isinstance(value, list) else "$ref"
        node = next((branch for branch in node["anyOf"] if wanted in branch), node)
    while "$ref" in node:
        node = root["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    if "oneOf" in node and isinstance(value, Mapping):
        kinds = node.get("discriminator", {}).get("mapping")
        if kinds is None:
            return next((one for one in _objects_of(node, root) if value.keys() >= {*one.get("required", ())}), node)
        chosen = next((kinds[kind] for kind in kinds if kind == value.get("kind")), None)
        return _resolve({"$ref": chosen}, root, value) if chosen else node
    return node


def shown(value: Any) -> str:
    """A value as messages show it: JSON, shortened if long; its type if it cannot be written."""
    try:
        text = json.dumps(value, default=str, ensure_ascii=False)
    except (RecursionError, TypeError, ValueError):
        return f"a {type(value).__name__}"
    return shortened(text, 80)
