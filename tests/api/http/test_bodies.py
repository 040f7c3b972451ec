import asyncio
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.http import bodies


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON", "application/x+json"])
def test_every_spelling_of_json_is_taken(media_type: str, client: TestClient, spec: dict[str, Any]) -> None:
    response = client.post("/v1/jobs", content=json.dumps(spec), headers={"Content-Type": media_type})

    assert response.status_code == 201


def test_a_body_may_be_as_large_as_the_limit(client: TestClient, spec: dict[str, Any]) -> None:
    content = json.dumps(spec).encode().ljust(1_000_000)

    response = client.post("/v1/jobs", content=content, headers={"Content-Type": "application/json"})

    assert response.status_code == 201


@pytest.mark.parametrize("content", [b"", b"  \n", b"{}"])
def test_where_no_body_is_taken_an_empty_one_is(content: bytes, client: TestClient, running: tuple[str, int]) -> None:
    assert client.post(f"/v1/jobs/{running[0]}/cancel", content=content).status_code == 202


@pytest.mark.parametrize("content", [b"[]", b"null", b"0", b'"now"'])
def test_where_no_body_is_taken_nothing_else_is(
    content: bytes, client: TestClient, running: tuple[str, int], problem_of: Any
) -> None:
    problem = problem_of(client.post(f"/v1/jobs/{running[0]}/cancel", content=content), 422, "invalid_body")

    assert problem["errors"][0]["pointer"] == ""


def test_no_other_request_waits_while_a_body_is_parsed(
    client: TestClient, spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A megabyte takes a part of a second, and the event loop serves all connections."""
    read, loops = bodies.read_text, []

    def watched(content: bytes) -> Any:
        loops.append(asyncio._get_running_loop())
        return read(content)

    monkeypatch.setattr(bodies, "read_text", watched)

    client.post("/v1/jobs", json=spec)

    assert loops == [None]
