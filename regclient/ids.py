"""Ids: what one looks like, checked before it becomes part of an address."""

import re
from typing import Any

from regclient.errors import InvalidIdError

ID_PREFIXES = {"job": "job_", "sweep": "swp_"}

_MAX_SHOWN = 80
_PATTERNS = {kind: re.compile(rf"{prefix}[0-9A-HJKMNP-TV-Z]{{26}}") for kind, prefix in ID_PREFIXES.items()}


def is_id(kind: str, value: Any) -> bool:
    """Whether something can be the id of a `job` or a `sweep`."""
    return isinstance(value, str) and _PATTERNS[kind].fullmatch(value) is not None


def checked_id(kind: str, value: Any) -> str:
    """The id itself.

    Raises:
        InvalidIdError: It is none. The server would know nothing by it, and in an address it may name something else.
    """
    if is_id(kind, value):
        return str(value)
    is_plain = isinstance(value, str) and value.isprintable() and value.strip() == value != ""
    shown = value if is_plain else repr(value)
    if len(shown) > _MAX_SHOWN:
        shown = shown[:_MAX_SHOWN] + "…"
    raise InvalidIdError(
        f"There is no {kind} {shown}. An id of a {kind} is {ID_PREFIXES[kind]!r} and 26 digits and capital letters."
    )
