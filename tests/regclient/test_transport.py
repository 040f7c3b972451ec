from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from regclient import NotAllowedError, ServerUnreachableError, UnavailableError
from regclient.connection import Connection
from regclient.retries import MAX_DELAY_S, backoff_s
from regclient.transport import Transport
from regclient.up import free_port


def unavailable(headers: dict[str, str] | None = None, status: int = 503) -> Any:
    from fastapi.responses import JSONResponse

    body = {"type": "urn:regcore:problem:unavailable", "title": "Unavailable", "status": status}
    return JSONResponse(body, status, headers)


@contextmanager
def transport_to(server: Any, pauses: list[float] | None = None, key: str = "rc_test_secret") -> Iterator[Transport]:
    sleep = ([] if pauses is None else pauses).append
    transport = Transport(Connection(server.url, key), max_retries=3, sleep=sleep)
    yield transport
    transport.close()


def test_a_503_is_tried_again_after_what_the_server_asks(server: Any) -> None:
    pauses: list[float] = []
    server.failures = [unavailable({"Retry-After": "3"}), unavailable()]

    with transport_to(server, pauses) as transport:
        answer = transport.request("GET", "/v1/workers")

    assert answer["data"]
    assert pauses[0] == 3
    assert len(pauses) == 2


def test_a_503_to_the_end_is_unavailable(server: Any) -> None:
    server.failures = [unavailable() for _ in range(4)]

    with transport_to(server) as transport, pytest.raises(UnavailableError):
        transport.request("GET", "/v1/workers")


def test_a_conflict_is_tried_again_only_where_the_server_asks_for_it(server: Any) -> None:
    server.failures = [unavailable({"Retry-After": "0"}, status=409)]

    with transport_to(server) as transport:
        assert transport.request("GET", "/v1/workers")["data"]


def test_no_server_is_unreachable_after_growing_pauses() -> None:
    pauses: list[float] = []
    transport = Transport(Connection(f"http://127.0.0.1:{free_port()}", None), max_retries=3, sleep=pauses.append)

    with pytest.raises(ServerUnreachableError, match="regcore up"):
        transport.request("GET", "/v1/workers")

    assert len(pauses) == 3
    assert pauses[0] < pauses[1] < pauses[2]
    transport.close()


def test_a_wrong_key_is_not_allowed_and_not_retried(server: Any) -> None:
    pauses: list[float] = []

    with (
        transport_to(server, pauses, key="rc_wrong") as transport,
        pytest.raises(NotAllowedError, match="REGCORE_API_KEY"),
    ):
        transport.request("GET", "/v1/workers")

    assert pauses == []


def test_pauses_stay_bounded() -> None:
    assert backoff_s(50) <= MAX_DELAY_S * 1.25
