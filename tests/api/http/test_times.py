from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from api.http.errors import WrongParameterError
from api.http.times import Time, read_time, show_time


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


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01t00:00:01z", 1.0),
        ("1970-01-01T00:00:00.5Z", 0.5),
        ("1970-01-01T00:00:00.123456789Z", 0.123456),
        ("1970-01-01T02:00:00+02:00", 0.0),
        ("1969-12-31T23:30:00-00:30", 0.0),
        ("2016-12-31T23:59:60Z", 1_483_228_800.0),
    ],
)
def test_a_time_is_read_as_rfc_3339_writes_it(given: str, at: float) -> None:
    assert read_time(given).timestamp() == at


@pytest.mark.parametrize(
    "given",
    [
        "",
        "0.5",
        "0",
        "1700000000",
        "2026-11-23",
        "2026-11-23T07:41",
        "2026-11-23T07:41:09",
        "2026-W48-1",
        "2026-11-23 07:41:09Z",
        "20261123T074109Z",
        "2026-11-23T07:41:09+0100",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-23T24:00:01Z",
        "2026-11-23T07:41:61Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:60Z",
        "٢٠٢٦-11-23T07:41:09Z",
        "2026-11-23T07:41:09Z\n",
        "now",
        0.5,
        1700000000,
        True,
    ],
)
def test_anything_else_is_no_time(given: object) -> None:
    with pytest.raises(WrongParameterError, match=r"received|there is no time"):
        read_time(given)


def test_a_plus_that_came_as_a_space_is_told() -> None:
    with pytest.raises(WrongParameterError, match="%2B"):
        read_time("2026-11-23T07:41:09 01:00")


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/sweeps"])
@pytest.mark.parametrize("name", ["created_after", "created_before"])
def test_a_number_is_no_time_in_a_list(path: str, name: str, client: TestClient, problem_of: Any) -> None:
    problem = problem_of(client.get(path, params={name: "0.5"}), 422, "invalid_parameter")

    assert problem["errors"][0]["parameter"] == name
    assert client.get(path, params={name: "2026-11-23T07:41:09Z"}).status_code == 200
