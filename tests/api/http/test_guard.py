import asyncio
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from api.http.guard import Guard
from api.http.hosts import HostRules
from api.services import Services


def test_a_request_id_is_echoed(client: TestClient) -> None:
    response = client.get("/v1/jobs", headers={"X-Request-ID": "mine-1"})

    assert response.headers["x-request-id"] == "mine-1"


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 129, "<script>"])
def test_a_request_id_is_made_where_there_is_none_to_use(given: str | None, client: TestClient) -> None:
    headers = {} if given is None else {"X-Request-ID": given}

    first, second = (client.get("/v1/jobs", headers=headers).headers["x-request-id"] for _ in range(2))

    assert first.startswith("req_")
    assert first != second


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "evil.com"}, "foreign_host"),
        ({"Origin": "http://evil.com"}, "foreign_origin"),
        ({"Sec-Fetch-Site": "cross-site"}, "foreign_origin"),
    ],
)
def test_a_foreign_call_is_refused_even_with_a_key(
    headers: dict[str, str], code: str, client: TestClient, problem_of: Any, num_jobs: Any, spec: dict[str, Any]
) -> None:
    problem_of(client.post("/v1/jobs", json=spec, headers=headers), 403, code)
    assert num_jobs() == 0


def test_every_answer_has_the_security_headers(client: TestClient) -> None:
    for path in ("/v1/jobs", "/nothing"):
        headers = client.get(path).headers

        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"


def test_only_what_an_operator_wants_to_read_is_logged_as_information(client: TestClient, spec: dict[str, Any]) -> None:
    job_id = client.post("/v1/jobs", json=spec).json()["id"]

    with capture_logs() as logged:
        client.post("/v1/jobs", json=spec)
        client.get(f"/v1/jobs/{job_id}")
        client.get(f"/v1/jobs/{job_id}/events", params={"after": 1})
        client.get("/v1/jobs/job_nothing")
        client.get("/healthz")
        client.delete(f"/v1/jobs/{job_id}")

    told = [(line["log_level"], line["method"], line["status"]) for line in logged if line["event"] == "request"]
    assert told == [
        ("info", "POST", 201),
        ("debug", "GET", 200),
        ("debug", "GET", 200),
        ("info", "GET", 404),
        ("debug", "GET", 200),
        ("info", "DELETE", 409),
    ]


def test_a_slow_answer_is_told(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.guard._SLOW_S", 0.0)

    with capture_logs() as logged:
        client.get("/v1/jobs")

    assert [line["log_level"] for line in logged if line["event"] == "request"] == ["info"]


def test_a_client_that_leaves_while_it_sends_is_no_failure_of_the_server(services: Services) -> None:
    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    async def leave() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pytest.fail(f"nobody is there for {message}")

    scope = {"type": "http", "method": "POST", "path": "/v1/jobs", "headers": [(b"host", b"localhost")]}
    with capture_logs() as logged:
        asyncio.run(Guard(read, HostRules(services.settings))(scope, leave, send))

    assert [(line["event"], line["status"]) for line in logged] == [("request", None)]
