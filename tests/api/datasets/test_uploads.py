"""What a body may be, and that nothing is left of one that is refused; on a real server where that matters."""

import errno
import hashlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from api.services import Services
from jobs.incoming import Incoming
from jobs.settings import Settings

AS_CSV = {"Content-Type": "text/csv"}
MAX_BYTES = 2_000_000
PATIENCE_S = 0.5


@pytest.fixture
def with_tables(with_tables: Settings) -> Settings:
    """Settings with a smaller limit, and little patience."""
    return with_tables.model_copy(update={"max_dataset_bytes": MAX_BYTES, "upload_patience_s": PATIENCE_S})


@pytest.fixture
def app(with_tables: Settings) -> FastAPI:
    return create_app(with_tables)


def _left(settings: Settings) -> list[Path]:
    return [path for path in settings.artifacts_dir.rglob("*") if path.is_file()]


@pytest.mark.parametrize("num_bytes", [1, MAX_BYTES])
def test_a_body_may_be_as_large_as_the_limit(client: TestClient, services: Services, num_bytes: int) -> None:
    content = os.urandom(num_bytes)

    response = client.post("/v1/datasets", content=content, headers=AS_CSV)

    assert response.status_code == 202
    assert response.json()["sha256"] == hashlib.sha256(content).hexdigest()
    assert [path.stat().st_size for path in _left(services.settings)] == [num_bytes]


@pytest.mark.parametrize("coding", ["with its length", "in chunks"])
def test_a_larger_body_is_refused_and_nothing_is_left(
    client: TestClient, services: Services, problem_of: Any, coding: str
) -> None:
    def pieces() -> Iterator[bytes]:
        yield from (b"x" * 100_000 for _ in range(21))

    content = b"x" * (MAX_BYTES + 1) if coding == "with its length" else pieces()

    problem = problem_of(client.post("/v1/datasets", content=content, headers=AS_CSV), 413, "body_too_large")

    assert "2,000,000 bytes" in problem["detail"]
    assert _left(services.settings) == []
    assert client.get("/v1/datasets").json()["data"] == []


def test_json_keeps_its_own_limit(client: TestClient, spec: dict[str, Any], problem_of: Any) -> None:
    response = client.post("/v1/jobs", json={**spec, "name": "x" * 1_000_001})

    assert "1,000,000 bytes" in problem_of(response, 413, "body_too_large")["detail"]


def test_an_empty_body_is_no_file(client: TestClient, services: Services, problem_of: Any) -> None:
    problem = problem_of(client.post("/v1/datasets", content=b"", headers=AS_CSV), 422, "invalid_body")

    assert problem["errors"][0]["code"] == "empty_body"
    assert _left(services.settings) == []


@pytest.mark.parametrize("fault", ["while it is written", "before it is read"])
def test_a_full_disk_is_told_and_nothing_is_left(
    client: TestClient, services: Services, problem_of: Any, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if fault == "while it is written":
        monkeypatch.setattr(Incoming, "write", full)
    else:
        monkeypatch.setattr("jobs.artifacts.ArtifactStore.free_bytes", lambda _: 1_000)

    response = client.post("/v1/datasets", content=b"x" * 1_500_000, headers=AS_CSV)

    problem_of(response, 503, "disk_full")
    assert response.headers["retry-after"]
    assert _left(services.settings) == []


def test_a_key_that_cannot_be_used_is_refused_before_the_body(client: TestClient, problem_of: Any) -> None:
    headers = AS_CSV | {"Idempotency-Key": "x" * 300}

    problem_of(client.post("/v1/datasets", content=b"x" * (MAX_BYTES + 1), headers=headers), 422, "invalid_parameter")


@pytest.fixture
def upload_head(token: str) -> Callable[[str], bytes]:
    """Makes the head of an upload, with a further field."""
    return lambda field: (
        f"POST /v1/datasets HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: text/csv\r\n{field}\r\n\r\n"
    ).encode()


def test_connections_that_fail_in_the_middle_leave_nothing(
    with_tables: Settings, upload_head: Callable[[str], bytes], serve: Any, free_tcp_port: int
) -> None:
    """Too much is refused before a byte is read; less than was said, too slowly, or nobody is there any more."""
    environment = {
        "REGCORE_MAX_DATASET_BYTES": str(MAX_BYTES),
        "REGCORE_UPLOAD_PATIENCE_S": str(PATIENCE_S),
    }
    half = b"a,b\n" * 250_000
    sent: dict[str, tuple[bytes, bytes, bool]] = {
        "too large": (upload_head(f"Content-Length: {MAX_BYTES + 1}"), b"413", False),
        "far too large": (upload_head("Content-Length: 99999999999999"), b"413", False),
        "too large, asked first": (upload_head("Content-Length: 99999999\r\nExpect: 100-continue"), b"413", False),
        "shorter than said": (upload_head("Content-Length: 1500000") + half, b"400", True),
        "without its last chunk": (upload_head("Transfer-Encoding: chunked") + b"4\r\na,b\n\r\n", b"400", True),
        "a chunk that is none": (upload_head("Transfer-Encoding: chunked") + b"x\r\n", b"400", False),
        "too slow": (upload_head("Content-Length: 1500000") + half, b"400", False),
    }
    with serve(with_tables, free_tcp_port, environment) as (_, _process):
        answers = {name: _answer(free_tcp_port, content, shut) for name, (content, _, shut) in sent.items()}
        with socket.create_connection(("127.0.0.1", free_tcp_port), timeout=20) as connection:
            connection.sendall(upload_head("Content-Length: 1500000") + half)
        left = _wait_for_nothing(with_tables)

    for name, (_, status, _) in sent.items():
        assert answers[name].startswith(b"HTTP/1.1 " + status), (name, answers[name])
    assert b"body_too_slow" in answers["too slow"]
    assert b"shorter than its Content-Length" in answers["shorter than said"]
    assert left == []


def test_a_server_that_is_killed_in_the_middle_leaves_nothing_and_takes_the_file_again(
    with_tables: Settings, upload_head: Callable[[str], bytes], client: TestClient, serve: Any, free_tcp_port: int
) -> None:
    content = os.urandom(1_600_000)
    head = upload_head(f"Content-Length: {len(content)}\r\nConnection: close")
    address = ("127.0.0.1", free_tcp_port)
    with serve(with_tables, free_tcp_port) as (_, process), socket.create_connection(address, timeout=20) as connection:
        connection.sendall(head + content[:1_500_000])
        _wait_until(lambda: _holds_a_file(process.pid, with_tables.artifacts_dir))
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert _left(with_tables) == []
    assert client.post("/v1/datasets", content=content, headers=AS_CSV).status_code == 202
    assert [path.read_bytes() for path in _left(with_tables)] == [content]


def _answer(port: int, sent: bytes, shut: bool) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(sent)
        if shut:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
            chunk = connection.recv(65_536)
            if not chunk:
                break
            answer += chunk
        return answer


def _holds_a_file(pid: int, folder: Path) -> bool:
    """Whether a process has written to a file in the folder, with or without a name."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        if str(folder) in os.readlink(descriptor) and descriptor.stat().st_size >= 1_000_000:
            return True
    return False


def _wait_until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def _wait_for_nothing(settings: Settings) -> list[Path]:
    give_up_at = time.monotonic() + 20
    while (left := _left(settings)) and time.monotonic() < give_up_at:
        time.sleep(0.02)
    return left
