import json
from typing import Any

import pytest
from starlette.requests import Request

from api.http.errors import ProblemError
from api.http.idempotency import idempotency_key


def make_request(key: str | None, method: str = "POST", path: str = "/v1/jobs") -> Request:
    headers = [] if key is None else [(b"idempotency-key", key.encode("latin-1"))]
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}
    return Request({**scope, "server": ("127.0.0.1", 80), "scheme": "http"})


def test_a_request_without_the_header_has_no_key() -> None:
    assert idempotency_key(make_request(None), {}) is None


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ({"b": [1, 2.5], "a": "ü"}, True),
        ({"a": "ü", "b": [2.5, 1]}, False),
        ({"a": "ü", "b": [True, 2.5]}, False),
        ({"a": "u", "b": [1, 2.5]}, False),
        (None, False),
    ],
)
def test_a_body_counts_by_what_it_says(other: Any, is_same: bool) -> None:
    first = idempotency_key(make_request("k"), {"a": "ü", "b": [1, 2.5]})

    assert (idempotency_key(make_request("k"), other) == first) is is_same


def test_the_same_key_on_another_route_is_another_key() -> None:
    routes = [idempotency_key(make_request("k", path=path)) for path in ("/v1/jobs/a/cancel", "/v1/jobs/b/cancel")]

    assert routes[0] != routes[1]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "é"])
def test_a_key_that_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ProblemError, match="1 to 255 printable ASCII") as caught:
        idempotency_key(make_request(key))

    assert [error.parameter for error in caught.value.errors] == ["Idempotency-Key"]


@pytest.mark.parametrize("key", ["~", " ", "x" * 255])
def test_a_key_at_the_limits_is_kept_as_it_is(key: str) -> None:
    found = idempotency_key(make_request(key))

    assert found is not None
    assert found.key == key


@pytest.mark.parametrize(
    ("first", "other", "is_same"),
    [
        ('{"training": {"epochs": 32}}', '{"training": {"epochs": 32.0}}', True),
        ('{"values": [2, 1000]}', '{"values": [2.0, 1e3]}', True),
        ('{"bias": true}', '{"bias": 1}', False),
        ('{"seed": 9007199254740993}', '{"seed": 9007199254740992}', False),
    ],
)
def test_equal_numbers_are_one_request_however_they_are_written(first: str, other: str, is_same: bool) -> None:
    keys = [idempotency_key(make_request("k"), json.loads(body)) for body in (first, other)]

    assert (keys[0] == keys[1]) is is_same
