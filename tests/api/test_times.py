from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from api.times import Time, show_time


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1.123, "1970-01-01T00:00:01.123Z"),  # 1.123 · 1000 is 1122.999…
        (1.9996, "1970-01-01T00:00:02.000Z"),
        (1_795_419_669.123, "2026-11-23T07:41:09.123Z"),
    ],
)
def test_times_are_utc_with_rounded_milliseconds(at: float, text: str) -> None:
    assert show_time(at) == text


@given(st.integers(0, 4_000_000_000_000))
def test_a_time_of_whole_milliseconds_comes_back_exactly(at_ms: int) -> None:
    read = datetime.fromisoformat(show_time(at_ms / 1000))

    assert (read - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) == at_ms


def test_a_time_in_a_response_is_text() -> None:
    assert TypeAdapter(Time).dump_json(0.5) == b'"1970-01-01T00:00:00.500Z"'
