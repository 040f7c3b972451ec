"""Times at the edge: the store has seconds since 1970, users see UTC with milliseconds."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainSerializer, WithJsonSchema


def show_time(at: float) -> str:
    """Write a time, as in `2026-11-23T07:41:09.123Z`; rounded, for 1.123 · 1000 is 1122.999…"""
    return datetime.fromtimestamp(round(at * 1000) / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


Time = Annotated[
    float,
    PlainSerializer(show_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-23T07:41:09.123Z"]}),
]
"""A time in a response."""
