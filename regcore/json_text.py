"""JSON as text: one parser for all JSON from users: by HTTP, in a file, on stdin or as an argument.

It accepts JSON as in RFC 8259, except what parsers disagree about or what cannot be stored: a name that occurs twice in
an object, numbers beyond 64-bit floats, NUL and half surrogate pairs, and deep nesting.
"""

import json
import math
import re
from codecs import BOM_UTF8
from typing import Any, Final

from regcore.errors import MAX_ERRORS, FieldError, JsonSyntaxError, JsonValueError, in_words, json_pointer

MAX_DEPTH: Final = 64
MAX_DIGITS: Final = 308
"""Digits of a whole number; with more it exceeds every 64-bit float."""

_REMEDY: Final = 'Save it as UTF-8, in Python with encoding="utf-8"'
_UNFIT: Final = re.compile("[\0\ud800-\udfff]")
_NEAR_CHARACTERS: Final = 20


class _Doubled(dict[str, Any]):
    """An object that repeats a name."""

    name: str


def read_json(content: bytes) -> Any:
    """Parse JSON in UTF-8; a byte-order mark before it is skipped.

    Raises:
        JsonSyntaxError: It is not JSON, or an object repeats a name.
        JsonValueError: It holds values that cannot be stored. At most `MAX_ERRORS` of them are named.
    """
    text = _decode(content)
    try:
        value = json.loads(text, object_pairs_hook=_read_object, parse_int=_read_whole_number)
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        near = text[error.pos : error.pos + _NEAR_CHARACTERS]
        there = f"before {near!r}" if near else "where it ends"
        said = f"{error.msg} at line {error.lineno}, column {error.colno}, {there}"
        raise JsonSyntaxError(said) from None
    found = _Found()
    found.look(value, [])
    if found.num_errors:
        raise JsonValueError(found.errors, found.num_errors - len(found.errors))
    return value


def _decode(content: bytes) -> str:
    encoding = json.detect_encoding(content)
    if encoding.startswith(("utf-16", "utf-32")):
        raise JsonSyntaxError(f"It is encoded in {encoding.upper()[:6]}, and JSON is UTF-8. {_REMEDY}")
    content = content.removeprefix(BOM_UTF8)
    if not content.strip():
        raise JsonSyntaxError("It is empty: a value is expected at line 1, column 1")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        wrong = content[error.start]
        raise JsonSyntaxError(f"Byte {error.start + 1:,}, 0x{wrong:02x}, is not UTF-8. {_REMEDY}") from None


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    doubled = _Doubled(members)
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            doubled.name = name
            break
        seen.add(name)
    return doubled


def _read_whole_number(text: str) -> int:
    num_digits = len(text.removeprefix("-"))
    if num_digits > MAX_DIGITS:
        raise JsonSyntaxError(f"A number has {num_digits:,} digits, and may have {MAX_DIGITS}")
    return int(text)


class _Found:
    """The values that cannot be stored: the first of them, and their number."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []
        self.num_errors = 0

    def look(self, value: Any, path: list[str | int]) -> None:
        """Check a value and everything in it; `path` is its place."""
        if isinstance(value, str):
            if _UNFIT.search(value):
                self._add(path, "invalid_text", "must be text without NUL and half surrogate pairs. Remove them.")
        elif isinstance(value, float):
            if not math.isfinite(value):
                said = f"must be a finite number; received {value}. Send a number, or null where it is allowed."
                self._add(path, "not_finite", said)
        elif isinstance(value, dict | list):
            if len(path) >= MAX_DEPTH:
                raise _too_deep()
            self._look_into(value, path)

    def _look_into(self, holder: dict[str, Any] | list[Any], path: list[str | int]) -> None:
        if isinstance(holder, _Doubled):
            said = f"The name {holder.name!r:.80} comes twice in {in_words(path, 'one object')}. Keep one of them"
            raise JsonSyntaxError(said, json_pointer(path))
        for place, inner in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if isinstance(place, str) and _UNFIT.search(place):
                self._add(path, "invalid_text", "has a name with NUL or half a surrogate pair. Remove it.")
            path.append(place)
            self.look(inner, path)
            path.pop()

    def _add(self, path: list[str | int], code: str, said: str) -> None:
        self.num_errors += 1
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(FieldError(json_pointer(path), code, f"{in_words(path)} {said}"))


def _too_deep() -> JsonSyntaxError:
    return JsonSyntaxError(f"It is nested too deeply: more than {MAX_DEPTH} levels")
