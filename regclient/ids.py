"""Ids of jobs, sweeps and data sets: their form, checked before an id becomes part of a URL."""

import re
from typing import Any

from regclient.errors import InvalidIdError

ID_PREFIXES = {"job": "job_", "sweep": "swp_", "data set": "ds_"}

_MAX_SHOWN = 80
_PATTERNS = {kind: re.compile(rf"{prefix}[0-9A-HJKMNP-TV-Z]{{26}}") for kind, prefix in ID_PREFIXES.items()}


def is_id(kind: str, value: Any) -> bool:
    """Whether a value has the form of an id of a `job`, a `sweep` or a `data set`."""
    return isinstance(value, str) and _PATTERNS[kind].fullmatch(value) is not None


def checked_id(kind: str, value: Any) -> str:
    """Return the id.

    Raises:
        InvalidIdError: It is not an id. In a URL, such a text could name something else.
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
