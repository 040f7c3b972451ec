"""Where a page of a list ends: the sorted value and the id of its last row, opaque to users.

A list whose rows may change places meanwhile is as it was at one moment, which its cursors carry too.
"""

import base64
import binascii
import json
import math
from dataclasses import dataclass
from typing import Any

from jobs.errors import InvalidCursorError


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list.

    Attributes:
        value: What the list is sorted by, of the last row before it.
        row_id: That row's id, which decides among equals.
        as_of: The moment that the list shows; None for one that shows every row as it is.
    """

    value: Any
    row_id: str
    as_of: float | None = None


def write_cursor(sort: str, cursor: Cursor) -> str:
    """Return a place in a list in this order as text."""
    parts = [sort, cursor.value, cursor.row_id, cursor.as_of]
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def read_cursor(text: str, sort: str, value_type: type) -> Cursor:
    """Return the place that a text holds.

    Raises:
        InvalidCursorError: It is not a cursor of a list in this order.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise InvalidCursorError from error
    match parts:
        case [str(made_for), (str() | float()) as value, str(row_id), float() | None as as_of] if (
            made_for == sort
            and type(value) is value_type
            and _is_storable(value)
            and _is_storable(row_id)
            and _is_storable(as_of or 0.0)
        ):
            return Cursor(value, row_id, as_of)
        case _:
            raise InvalidCursorError


def _is_storable(value: str | float) -> bool:
    """Whether every database has such a value, and agrees with the others on its place."""
    if isinstance(value, float):
        return math.isfinite(value)
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
