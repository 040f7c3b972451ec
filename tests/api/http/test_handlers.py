from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.services import Services
from jobs.errors import IdempotencyBusyError, StaleRunError, StoreUnavailableError


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/jobs", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/v1/jobs/x", "DELETE, GET, HEAD, OPTIONS"),
        ("GET", "/v1/jobs/x/cancel", "OPTIONS, POST"),
        ("BREW", "/v1/regularizers", "GET, HEAD, OPTIONS"),
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_method_that_is_not_allowed_names_those_that_are(
    method: str, path: str, allowed: str, client: TestClient, problem_of: Any
) -> None:
    response = client.request(method, path)

    problem_of(response, 405, "method_not_allowed")
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
def test_a_body_that_is_not_json_is_a_415(
    content_type: str, client: TestClient, num_jobs: Any, problem_of: Any
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}

    response = client.post("/v1/jobs", content=b"{}", headers=headers)

    problem = problem_of(response, 415, "unsupported_media_type")
    assert "application/json" in problem["detail"]
    assert num_jobs() == 0


def test_an_unknown_parameter_is_named_where_there_is_none(client: TestClient, problem_of: Any) -> None:
    problem = problem_of(client.get("/v1/workers?limit=3"), 422, "invalid_parameter")

    assert problem["errors"][0]["parameter"] == "limit"
    assert "expected none" in problem["errors"][0]["message"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreUnavailableError(), 503, "unavailable"),
        (IdempotencyBusyError(), 409, "idempotency_busy"),
        (StaleRunError(1, "job_1"), 500, "internal_error"),
        (RuntimeError("secret of ours"), 500, "internal_error"),
    ],
)
def test_what_the_store_raises_becomes_a_problem(
    error: Exception,
    status: int,
    code: str,
    client: TestClient,
    services: Services,
    problem_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(type(services.store), "get", fail)

    response = client.get("/v1/jobs/x")

    problem_of(response, status, code)
    assert ("retry-after" in response.headers) == (status in (409, 503))
    assert "secret of ours" not in response.text
