"""Cursors: the sorted value and the id of the last row of a page, opaque to users.

A list whose rows can move meanwhile shows one moment, which its cursors carry too.
"""

import base64
import binascii
import json
import math
from dataclasses import dataclass
from typing import Any

from jobs.clock import Moment
from jobs.errors import InvalidCursorError


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list.

    Attributes:
        value: The sorted value of the row before this place.
        row_id: That row's id, which orders equal values.
        as_of: The moment that the list shows; None for a list that shows the present.
    """

    value: Any
    row_id: str
    as_of: Moment | None = None


def write_cursor(sort: str, cursor: Cursor) -> str:
    """Return a place in a list in this order as text."""
    moment = None if cursor.as_of is None else [cursor.as_of.settled, cursor.as_of.at]
    parts = [sort, cursor.value, cursor.row_id, moment]
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
        case [str(made_for), (str() | float()) as value, str(row_id), None | [float(), float()] as times] if (
            made_for == sort
            and type(value) is value_type
            and all(_is_storable(one) for one in (value, row_id, *(times or ())))
        ):
            return Cursor(value, row_id, None if times is None else Moment(*times))
        case _:
            raise InvalidCursorError


def _is_storable(value: str | float) -> bool:
    """Whether every database can hold this value and sorts it alike."""
    if isinstance(value, float):
        return math.isfinite(value)
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
