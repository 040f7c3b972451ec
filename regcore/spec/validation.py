"""From pydantic's errors to ours: a JSON Pointer, what was expected, what came, what to do."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, reduce
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from regcore.errors import FieldError, SpecError
from regcore.json_values import plain
from regcore.spec.hints import is_number, letters, say_how, say_kind, say_where, suggest
from regcore.spec.job import JobSpec

Body = TypeVar("Body", bound=BaseModel)

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
        raise SpecError(explain_errors(error.errors(include_url=False), plain(body), model)) from None


def explain_errors(
    errors: Sequence[Mapping[str, Any]], body: Any, model: type[BaseModel] = JobSpec
) -> list[FieldError]:
    """Pydantic's errors about `body`, as FieldErrors. Each place is named once, however many union branches failed."""
    explained: dict[str, FieldError] = {}
    for error in errors:
        path = _walk(error, body, model)
        found = _explain(error, path, body, model)
        known = explained.get(found.pointer)
        if known is not None and known.message != found.message:
            found = FieldError(known.pointer, known.code, f"{known.message} Or: {found.message}")
        explained[found.pointer] = found
    # If one branch of a union got further into the value than the others, it was meant.
    return [e for e in explained.values() if not any(other.startswith(f"{e.pointer}/") for other in explained)]


def json_pointer(path: Iterable[str | int]) -> str:
    """RFC 6901: `/regularizers/0/strength`."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _walk(error: Mapping[str, Any], body: Any, model: type[BaseModel]) -> list[str | int]:
    """The path in the body, without the names of union branches that pydantic inserts."""
    path: list[str | int] = []
    node = body
    is_branch = False
    for part in error["loc"]:
        is_branch = not is_branch and "discriminator" in _field_at(path, body, model)
        is_key = (isinstance(node, Mapping) and part in node) or (isinstance(node, Sequence) and isinstance(part, int))
        if is_key and not is_branch and not isinstance(node, str):
            node = _item(node, part)
            path.append(part)
    name = {"missing": error["loc"][-1:], "invalid_key": (error.get("input"),)}.get(error["type"], ())
    return path if path[-1:] == [*name] else [*path, *map(_as_part, name)]


def _as_part(name: Any) -> str | int:
    return name if isinstance(name, int) else str(name)


def _item(node: Any, part: str | int) -> Any:
    try:
        return node[part]
    except (KeyError, IndexError, TypeError):
        return None


def _explain(error: Mapping[str, Any], path: list[str | int], body: Any, model: type[BaseModel]) -> FieldError:
    kind, context, pointer = error["type"], error.get("ctx", {}), json_pointer(path)
    where = _in_words(path)
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
        message = f"each name in {_in_words(path[:-1])} {rule}; received {shown(error.get('input'))}. Correct the name."
        return FieldError(pointer, kind, message)
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


def _in_words(path: Sequence[str | int]) -> str:
    """`regularizers.0.strength`; an empty name in quotes."""
    return ".".join(str(part) or '""' for part in path) or "the body"


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
        yield field, f"{prefix}{field}" + f" of kind {', '.join(kinds)}" * (len(having) < len(branches))
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
    """Resolve references, to the schema of the type and kind that the value has."""
    if "anyOf" in node and isinstance(value, Mapping | list):
        wanted = "items" if isinstance(value, list) else "$ref"
        node = next((branch for branch in node["anyOf"] if wanted in branch), node)
    while "$ref" in node:
        node = root["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    if "oneOf" in node and isinstance(value, Mapping):
        kinds = node.get("discriminator", {}).get("mapping", {})
        chosen = next((kinds[kind] for kind in kinds if kind == value.get("kind")), None)
        return _resolve({"$ref": chosen}, root, value) if chosen else node
    return node


def shown(value: Any) -> str:
    """A value as messages show it: JSON, shortened if long; its type if it cannot be written."""
    try:
        text = json.dumps(value, default=str, ensure_ascii=False)
    except (RecursionError, TypeError, ValueError):
        return f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."
