from typing import Any

import pytest

from regclient import NotAllowedError, ServerUnreachableError, UnavailableError
from regclient.connection import Connection
from regclient.transport import MAX_DELAY_S, Transport, backoff_s
from regclient.up import free_port


def unavailable(headers: dict[str, str] | None = None, status: int = 503) -> Any:
    from fastapi.responses import JSONResponse

    body = {"type": "urn:regcore:problem:unavailable", "title": "Unavailable", "status": status}
    return JSONResponse(body, status, headers)


def make(server: Any, pauses: list[float], max_retries: int = 3, key: str = "rc_test_secret") -> Transport:
    return Transport(Connection(server.url, key), max_retries=max_retries, sleep=pauses.append)


def test_a_503_is_tried_again_after_what_the_server_asks(server: Any) -> None:
    pauses: list[float] = []
    server.failures = [unavailable({"Retry-After": "3"}), unavailable()]

    answer = make(server, pauses).request("GET", "/v1/workers")

    assert answer.status_code == 200
    assert pauses[0] == 3
    assert len(pauses) == 2


def test_a_503_to_the_end_is_unavailable(server: Any) -> None:
    server.failures = [unavailable() for _ in range(4)]

    with pytest.raises(UnavailableError):
        make(server, []).request("GET", "/v1/workers")


def test_a_conflict_is_tried_again_only_where_the_server_asks_for_it(server: Any) -> None:
    server.failures = [unavailable({"Retry-After": "0"}, status=409)]

    assert make(server, []).request("GET", "/v1/workers").status_code == 200


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

    with pytest.raises(NotAllowedError, match="REGCORE_API_KEY"):
        make(server, pauses, key="rc_wrong").request("GET", "/v1/workers")

    assert pauses == []


def test_pauses_stay_bounded() -> None:
    assert backoff_s(50) <= MAX_DELAY_S * 1.25
