"""Times at the edge: the store has seconds since 1970, users see UTC with milliseconds, and write RFC 3339."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from api.http.errors import WrongParameterError

_EXAMPLE = "2026-11-23T07:41:09.123Z"
_SCHEMA = {"type": "string", "format": "date-time", "examples": [_EXAMPLE]}
_RFC_3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_WITHOUT_PLUS = re.compile(r"(.*\d) (\d\d:\d\d)")


def show_time(at: float) -> str:
    """Write a time, as in `2026-11-23T07:41:09.123Z`; rounded, for 1.123 · 1000 is 1122.999…"""
    return datetime.fromtimestamp(round(at * 1000) / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def read_time(given: Any) -> Any:
    """Parse a parameter's time, which must be RFC 3339 with an offset; `23:59:60` is the following second.

    Raises:
        WrongParameterError: It is not RFC 3339, or that day does not exist.
    """
    if isinstance(given, datetime):
        return given
    found = _RFC_3339.fullmatch(str(given))
    if found is None:
        lost = _WITHOUT_PLUS.fullmatch(str(given))
        remedy = "Write + as %2B in a URL." if lost else "A number or a day alone is no time."
        expected = f"expected an RFC 3339 datetime with its timezone, as {_EXAMPLE}"
        raise WrongParameterError(f"{expected}; received {given!r:.80}. {remedy}")
    day, minute, second, fraction, offset = found.groups()
    is_leap = second == "60"
    text = f"{day}T{minute}:{'59' if is_leap else second}{(fraction or '')[:7]}{offset.upper()}"
    try:
        return datetime.fromisoformat(text) + timedelta(seconds=is_leap)
    except (ValueError, OverflowError) as error:
        raise WrongParameterError(f"there is no time {given!r:.80}: {error}. Correct it.") from None


Time = Annotated[float, PlainSerializer(show_time, return_type=str), WithJsonSchema(_SCHEMA)]
"""A time in a response."""

GivenTime = Annotated[datetime, BeforeValidator(read_time), WithJsonSchema(_SCHEMA)]
"""A time in a request."""
