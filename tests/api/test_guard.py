from typing import Any

import pytest
from fastapi.testclient import TestClient


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
