import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from small_proxy import SmallProxy

from regclient import (
    Client,
    InvalidRequestError,
    Job,
    NotAllowedError,
    NotFoundError,
    ServerUnreachableError,
    UnavailableError,
    WaitTimeoutError,
)
from regclient.http import transport as transport_module
from regclient.http.connection import Connection
from regclient.http.deadline import Deadline, within
from regclient.http.retries import MAX_DELAY_S, Interruption, backoff_s
from regclient.http.transport import Transport
from regclient.stack.up import free_port

KEY = "rc_test_secret"


def unavailable(headers: dict[str, str] | None = None, status: int = 503) -> Any:
    from fastapi.responses import JSONResponse

    body = {"type": "urn:regcore:problem:unavailable", "title": "Unavailable", "status": status}
    return JSONResponse(body, status, headers)


@contextmanager
def transport_to(server: Any, pauses: list[float] | None = None, key: str = KEY) -> Iterator[Transport]:
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


@pytest.fixture
def proxy(server: Any) -> Iterator[SmallProxy]:
    """Between the client and the server."""
    with SmallProxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: SmallProxy) -> Iterator[Client]:
    with Client(proxy.url, KEY, max_retries=3) as client:
        yield client


REQUESTS: dict[str, Callable[[Client, Job], Any]] = {
    "get": lambda client, job: client.jobs.get(job.id),
    "list": lambda client, job: list(client.jobs.list()),
    "create": lambda client, job: client.jobs.create({}),
    "cancel": lambda client, job: job.cancel(),
    "delete": lambda client, job: job.delete(),
    "compare": lambda client, job: client.compare({"a": [job], "b": [job]}),
    "metrics": lambda client, job: job.metrics(),
    "artifacts": lambda client, job: job.artifacts(),
    "events": lambda client, job: next(job.events()),
    "all events": lambda client, job: list(job.events(follow=False)),
    "wait": lambda client, job: job.wait(0, progress=False),
}


@pytest.mark.parametrize("name", [name for name in REQUESTS if name != "wait"])
def test_a_proxy_s_502_503_and_504_are_lived_through_by_every_request(
    proxy: SmallProxy, client: Client, name: str
) -> None:
    job = client.jobs.create({})
    proxy.refusals = [502, 504]

    REQUESTS[name](client, job)

    assert proxy.refusals == []


def test_an_answer_to_a_delete_that_was_lost_is_no_missing_job(server: Any, proxy: SmallProxy, client: Client) -> None:
    job = client.jobs.create({})
    proxy.cut_after_bytes = 10

    job.delete()

    assert server.jobs == {}
    with pytest.raises(NotFoundError):
        client.jobs.delete(job.id)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", [name for name in REQUESTS if name != "all events"])
def test_a_deadline_ends_whatever_waits_for_a_server_that_is_silent(
    proxy: SmallProxy, client: Client, name: str
) -> None:
    job = client.jobs.create({})
    proxy.is_silent = True

    with client.deadline(0.1), pytest.raises(WaitTimeoutError, match=f"from {proxy.url} within"):
        REQUESTS[name](client, job)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["get", "create", "events", "wait"])
def test_a_deadline_ends_whatever_waits_for_a_server_that_drips(proxy: SmallProxy, client: Client, name: str) -> None:
    job = client.jobs.create({})
    proxy.drip_s = 0.2

    with client.deadline(0.1), pytest.raises(WaitTimeoutError):
        REQUESTS[name](client, job)


@pytest.mark.timeout(60)
def test_a_deadline_ends_the_tries_for_a_server_that_asks_to_come_back_much_later(server: Any, client: Client) -> None:
    server.failures = [unavailable({"Retry-After": "3600"}) for _ in range(3)]

    with client.deadline(0.2), pytest.raises(WaitTimeoutError):
        client.workers()


@pytest.mark.timeout(60)
def test_a_deadline_ends_the_tries_for_a_server_that_is_not_there() -> None:
    with (
        Client(f"http://127.0.0.1:{free_port()}", "rc_x", max_retries=1000) as client,
        client.deadline(1.1),
        pytest.raises(WaitTimeoutError),
    ):
        client.workers()


def test_what_comes_after_a_deadline_is_not_bound_by_it(client: Client) -> None:
    with client.deadline(0):
        pass

    assert client.workers()


def test_the_address_may_have_a_path_of_its_own(server: Any) -> None:
    with Client(f"{server.url}/regcore/") as client, pytest.raises(NotFoundError):
        client.workers()

    assert server.requests[0][1] == "/regcore/v1/workers"


MEBIBYTE = b"x" * (1 << 20)


@contextmanager
def answering_early(answer: bytes | None) -> Iterator[str]:
    """The URL of a server that reads a request's head alone, and answers it and hangs up, or does nothing more."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                if answer is None:
                    over.wait(30)
                else:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        thread.join()


def send(url: str, num_pieces: int) -> Any:
    transport = Transport(Connection(url, KEY), max_retries=0)
    body = iter([MEBIBYTE] * num_pieces)
    try:
        return transport.send_file("/v1/datasets", body, size_bytes=num_pieces << 20, media_type="text/csv")
    finally:
        transport.close()


def test_a_refusal_before_the_body_was_read_is_heard() -> None:
    said = b'{"type": "urn:regcore:problem:too_large", "title": "Too large", "status": 413}'
    head = b"HTTP/1.1 413 Too Large\r\nContent-Type: application/problem+json\r\nConnection: close\r\n"
    answer = head + b"Content-Length: %d\r\n\r\n%s" % (len(said), said)

    with answering_early(answer) as url, pytest.raises(InvalidRequestError, match="413 Too large"):
        send(url, 64)


def test_a_server_that_stops_reading_is_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "UPLOAD_SILENCE_S", 0.2)

    with answering_early(None) as url, pytest.raises(Interruption, match="No answer"):
        send(url, 64)


@pytest.mark.timeout(60)
def test_a_deadline_ends_an_upload_to_a_server_that_stops_reading() -> None:
    with answering_early(None) as url, within(Deadline(1.0)), pytest.raises(Interruption):
        send(url, 64)
