from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.http.fields import in_one_form
from jobs.settings import Settings

SINGLE = {
    "Authorization": "Bearer rc_other",
    "Content-Type": "text/plain",
    "Idempotency-Key": "b",
    "If-Range": '"a"',
    "Last-Event-ID": "1",
    "Origin": "http://127.0.0.1",
    "Range": "bytes=0-1",
}


@pytest.mark.parametrize("name", SINGLE)
def test_a_field_that_may_come_once_is_refused_twice(
    name: str, client: TestClient, spec: dict[str, Any], problem_of: Any, num_jobs: Any
) -> None:
    given = client.headers.get(name, SINGLE[name])
    lines = [*client.headers.items(), ("Content-Type", "application/json")]
    lines = [line for line in lines if line[0].lower() != name.lower()] + [(name, given), (name, SINGLE[name])]
    client.headers.clear()

    problem = problem_of(client.post("/v1/jobs", json=spec, headers=lines), 400, "bad_request")

    assert [(error["parameter"], error["code"]) for error in problem["errors"]] == [(name, "given_twice")]
    assert num_jobs() == 0


def test_a_list_on_several_lines_is_one_list(client: TestClient, finished: str) -> None:
    url = f"/v1/jobs/{finished}"
    etag = client.get(url).headers["etag"]

    accepted = client.get(url, headers=[("Accept", "image/png"), ("Accept", "application/json")])
    known = client.get(url, headers=[("If-None-Match", '"x"'), ("If-None-Match", etag)])
    coded = client.post(
        "/v1/jobs",
        content=b"{}",
        headers=[
            ("Content-Type", "application/json"),
            ("Content-Encoding", "identity"),
            ("Content-Encoding", "gzip"),
        ],
    )

    assert (accepted.status_code, known.status_code, coded.status_code) == (200, 304, 415)


@pytest.mark.parametrize(
    ("target", "path"), [(b"/v1/jobs", "/v1/jobs"), (b"/v1/a%20b", "/v1/a b"), (b"", "/"), (b"//x", "//x")]
)
def test_a_whole_url_is_its_path_at_its_host(target: bytes, path: str) -> None:
    scope = {
        "path": "http://here:80" + target.decode(),
        "raw_path": b"HTTP://here:80" + target,
        "headers": [(b"host", b"there"), (b"accept", b"*/*")],
    }

    seen = in_one_form(scope)

    assert (seen["path"], seen["raw_path"]) == (path, target or b"/")
    assert seen["headers"] == [(b"host", b"here:80"), (b"accept", b"*/*")]


def test_a_whole_url_is_served_where_its_host_is_ours(
    with_tables: Settings, token: str, serve: Any, free_tcp_port: int, exchange: Any
) -> None:
    head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"

    with serve(with_tables, free_tcp_port):
        ours = exchange(free_tcp_port, f"GET http://127.0.0.1/v1/jobs?limit=1 HTTP/1.1\r\n{head}".encode())
        foreign = exchange(free_tcp_port, f"GET http://evil.example/v1/jobs HTTP/1.1\r\n{head}".encode())

    assert ours.startswith(b"HTTP/1.1 200 ")
    assert b"urn:regcore:problem:foreign_host" in foreign
