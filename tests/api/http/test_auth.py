from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.routing import BaseRoute

from api.app import ROUTERS
from api.http.auth import open_endpoints
from jobs.keys import Token

OPEN = {"/healthz", "/readyz"}


def all_operations() -> list[tuple[str, str]]:
    """Each operation's method and path, as the routers have them."""
    routes: list[BaseRoute] = [route for router in ROUTERS for route in router.routes]
    assert all(isinstance(route, APIRoute) for route in routes), "a mount needs a test of its own"
    return [(m, route.path) for route in routes if isinstance(route, APIRoute) for m in route.methods or ()]


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer x", "Basic cmM6cmM=", pytest.param(f"Bearer {Token.new()}", id="unknown key")],
)
def test_no_operation_but_the_probes_answers_without_a_key(
    header: str | None, anyone: TestClient, problem_of: Any
) -> None:
    headers = {} if header is None else {"Authorization": header}
    ids = {"job_id": "job_1", "sweep_id": "swp_1", "dataset_id": "ds_1", "name": "log.txt"}

    answers = {
        (method, path): anyone.request(method, path.format(**ids), headers=headers) for method, path in all_operations()
    }

    for (_, path), response in answers.items():
        if path in OPEN:
            assert response.status_code == 200
        else:
            problem_of(response, 401, "unauthorized")
            assert response.headers["www-authenticate"].startswith("Bearer")


def test_what_is_open_is_exactly_the_probes() -> None:
    assert {endpoint.__name__ for endpoint in open_endpoints()} == {"healthz", "readyz"}


def test_the_routers_hold_every_path_of_the_document(app: FastAPI) -> None:
    document = app.openapi()["paths"]

    assert {path for _, path in all_operations()} == set(document)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/", "/metrics", "/v1//jobs", "/V1/jobs", "/healthz/"])
def test_what_does_not_exist_is_absent(path: str, client: TestClient, problem_of: Any) -> None:
    problem_of(client.get(path), 404, "not_found")


@pytest.mark.parametrize("path", ["/v1/jobs;/healthz", "/healthz/../v1/jobs", "/v1/jobs/%2e%2e/healthz", "//v1/jobs"])
def test_no_path_slips_by(path: str, anyone: TestClient) -> None:
    response = anyone.get(f"http://127.0.0.1{path}")

    assert response.status_code in (401, 404)


def test_a_key_whose_secret_is_wrong_is_refused(anyone: TestClient, token: str, problem_of: Any) -> None:
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")

    response = anyone.get("/v1/jobs", headers={"Authorization": f"Bearer {wrong}"})

    problem_of(response, 401, "unauthorized")
