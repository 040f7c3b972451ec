"""Where a page of a list ends: the sorted value and the id of its last row, opaque to users."""

import base64
import binascii
import json
from typing import Any

from jobs.errors import InvalidCursorError


def write_cursor(sort: str, value: Any, row_id: str) -> str:
    """Return the cursor behind this row of a list in this order."""
    return base64.urlsafe_b64encode(json.dumps([sort, value, row_id]).encode()).decode().rstrip("=")


def read_cursor(cursor: str, sort: str, value_type: type) -> tuple[Any, str]:
    """Return the sorted value and the id that a cursor holds.

    Raises:
        InvalidCursorError: It is not a cursor of a list in this order.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise InvalidCursorError from error
    match parts:
        case [str(made_for), value, str(row_id)] if (
            made_for == sort and type(value) is value_type and "\0" not in f"{value}{row_id}"
        ):
            return value, row_id
        case _:
            raise InvalidCursorError
