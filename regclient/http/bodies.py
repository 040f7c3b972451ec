"""Bodies of requests: a script's values as JSON, checked before they are sent."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from regclient.errors import InvalidBodyError
from regcore.json_values import plain

_MAX_ERRORS = 100
_MAX_LEVELS = 200  # far more than any spec needs; the limit also ends a list that contains itself
_MAX_SHOWN = 40
_MAX_INTEGER_BITS = 10_000  # by default, Python refuses to print more than 4,300 digits

Fault = dict[str, str]


def encode_body(value: Any) -> bytes:
    """Encode the body of a request. Tuples and the numbers of NumPy and other libraries are allowed.

    Raises:
        InvalidBodyError: A value, such as NaN or a set, has no form in JSON; `.errors` names the places.
    """
    said = plain(value)
    faults = list(islice(_faults(said, "", 0), _MAX_ERRORS))
    if faults:
        raise InvalidBodyError(faults)
    return json.dumps(said, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def object_of(value: Any, what: str) -> dict[str, Any]:
    """Return a mapping as a dict.

    Raises:
        InvalidBodyError: The value is not a mapping.
    """
    if isinstance(value, Mapping):
        return dict(value)
    raise InvalidBodyError([_fault("", f"expected {what} as a mapping, received {_kind(value)}")])


def operations_of(patch: Any) -> list[dict[str, Any]]:
    """Return a JSON Patch as a list of dicts.

    Raises:
        InvalidBodyError: The value is not a list of mappings.
    """
    is_list = isinstance(patch, Sequence) and not isinstance(patch, str | bytes)
    if is_list and all(isinstance(operation, Mapping) for operation in patch):
        return [dict(operation) for operation in patch]
    example = '[{"op": "replace", "path": "/training/epochs", "value": 20}]'
    message = f"expected a list of JSON Patch operations, such as {example}; received {_kind(patch)}"
    raise InvalidBodyError([_fault("/patch", message)])


def _faults(value: Any, pointer: str, level: int) -> Iterator[Fault]:
    """Yield each place in this value that has no form in JSON."""
    if level > _MAX_LEVELS:
        yield _fault(pointer[:_MAX_SHOWN] + "…", f"is nested more than {_MAX_LEVELS} levels deep, or within itself")
    elif isinstance(value, dict):
        for name, part in value.items():
            inner = f"{pointer}/{_escaped(name)}"
            if not isinstance(name, str):
                yield _fault(inner, f"names in JSON are text; this one is {_kind(name)}")
            elif not is_encodable(name):
                yield _fault(inner, "the name holds half a surrogate pair, which is not a character")
            else:
                yield from _faults(part, inner, level + 1)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _faults(part, f"{pointer}/{index}", level + 1)
    else:
        message = _scalar_fault(value)
        if message:
            yield _fault(pointer, message)


def _scalar_fault(value: Any) -> str | None:
    if isinstance(value, str):
        return None if is_encodable(value) else "the text holds half a surrogate pair, which is not a character"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"expected a finite number, received {value}"
    if isinstance(value, int):
        is_short = value.bit_length() <= _MAX_INTEGER_BITS
        return None if is_short else "the integer is too long for any number that a spec has"
    return None if value is None else f"expected a number, text, list or mapping, received {_kind(value)}"


def _escaped(name: Any) -> str:
    """Return a name as one part of a JSON Pointer (RFC 6901), in characters that can be printed."""
    text = str(name).replace("~", "~0").replace("/", "~1")
    return text.encode("utf-8", "backslashreplace").decode()


def is_encodable(text: str) -> bool:
    """Whether it is text that UTF-8 can say: it holds no half of a surrogate pair."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _fault(pointer: str, message: str) -> Fault:
    return {"pointer": pointer, "code": "not_json", "message": message}
