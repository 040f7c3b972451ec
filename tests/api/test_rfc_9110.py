"""HTTP as RFC 9110 has it, over every route of the app: a new route cannot be forgotten."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from api.app import ROUTERS, create_app
from api.services import Services
from jobs.settings import Settings

ROUTES = sorted(
    (method, route.path)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods or ()
)
GETS = [path for method, path in ROUTES if method == "GET"]
PATHS = sorted({path for _, path in ROUTES})
BODIED = {"/v1/jobs", "/v1/jobs/{job_id}/rerun", "/v1/sweeps", "/v1/sweep-suggestions", "/v1/comparisons"}
TAGGED = {
    "/v1/jobs/{job_id}",
    "/v1/jobs/{job_id}/report",
    "/v1/jobs/{job_id}/artifacts/{name}",
    "/v1/datasets/{dataset_id}",
}
OPEN = {"/healthz", "/readyz"}
NEGOTIATED = {"/v1/jobs/{job_id}/metrics", "/v1/jobs/{job_id}/events"}
DIFFERS_EACH_TIME = {"x-request-id", "date"}


@pytest.fixture
def url(finished: str, client: TestClient, sweep_spec: dict[str, Any], dataset_id: str) -> Any:
    """Fills a path in with what is there."""
    sweep_id = client.post("/v1/sweeps", json=sweep_spec).json()["id"]
    return lambda path: path.format(job_id=finished, name="log.txt", sweep_id=sweep_id, dataset_id=dataset_id)


def is_a_problem(response: httpx2.Response) -> bool:
    return response.headers.get("content-type") == "application/problem+json"


def heads(response: httpx2.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in DIFFERS_EACH_TIME}


def test_head_is_get_without_the_body(client: TestClient, url: Any) -> None:
    """§9.3.2"""
    for path in GETS:
        got, headed = client.get(url(path)), client.head(url(path))

        assert headed.status_code == got.status_code, path
        assert headed.content == b"", path
        assert heads(headed) == heads(got), path
        if path not in NEGOTIATED:
            assert int(headed.headers["content-length"]) == len(got.content), path


def test_head_of_what_is_wrong_has_the_problems_head(client: TestClient, anyone: TestClient) -> None:
    """§9.3.2"""
    for path in ("/nothing", "/v1/jobs/x", "/v1/jobs?limit=0", "/v1/jobs/x/cancel"):
        got, headed = client.get(path), client.head(path)

        assert (headed.status_code, headed.content) == (got.status_code, b""), path
        assert is_a_problem(headed), path


def test_head_of_a_live_stream_opens_none(client: TestClient, running: tuple[str, int], services: Services) -> None:
    """§9.3.2"""
    headed = client.head(f"/v1/jobs/{running[0]}/events", headers={"Accept": "text/event-stream"})

    assert headed.status_code == 200
    assert headed.headers["content-type"].startswith("text/event-stream")
    assert headed.content == b""


def test_options_names_the_methods_and_needs_no_key(app: FastAPI, client: TestClient, url: Any) -> None:
    """§9.3.7"""
    del client.headers["Authorization"]
    for path in PATHS:
        own = {method for method, of in ROUTES if of == path}
        expected = own | {"OPTIONS"} | ({"HEAD"} if "GET" in own else set())

        answer = client.options(url(path))

        assert answer.status_code == 204, path
        assert set(answer.headers["allow"].split(", ")) == expected, path
    assert client.options("/nothing").status_code == 404


def test_other_methods_are_refused_with_those_that_there_are(client: TestClient, url: Any) -> None:
    """§15.5.6, §10.2.1"""
    for path in PATHS:
        allowed = set(client.options(url(path)).headers["allow"].split(", "))
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} - allowed:
            refused = client.request(method, url(path))

            assert (refused.status_code, is_a_problem(refused)) == (405, True), (method, path)
            assert set(refused.headers["allow"].split(", ")) == allowed, (method, path)


def test_an_unknown_path_is_a_404_with_every_method(client: TestClient) -> None:
    """§15.5.5"""
    for path in ("/nothing", "/v1", "/v1/jobs/", "//v1/jobs", "/V1/jobs", "/v1/jobs/x/nothing", "/v1/jobs%2Fx"):
        for method in ("GET", "POST", "DELETE", "BREW"):
            refused = client.request(method, path)
            assert (refused.status_code, is_a_problem(refused)) == (404, True), (method, path)


def test_an_encoded_slash_divides_no_path(client: TestClient, url: Any) -> None:
    """RFC 3986 §2.2: `%2F` is data, and not the delimiter."""
    job_id = url("{job_id}")
    before = client.get(f"/v1/jobs/{job_id}").json()

    for method, path in [("POST", "%2Fcancel"), ("GET", "%2freport"), ("GET", "/artifacts%2Flog.txt")]:
        refused = client.request(method, f"/v1/jobs/{job_id}{path}")
        assert (refused.status_code, is_a_problem(refused)) == (404, True), path
    assert client.get(f"/v1/jobs/{job_id}").json() == before


def test_the_key_is_asked_for_everywhere_with_a_challenge(client: TestClient, url: Any) -> None:
    """§11.6.1"""
    paths = [(method, path, url(path)) for method, path in ROUTES]
    del client.headers["Authorization"]
    for method, path, where in paths:
        for said in ({}, {"Authorization": "Bearer rc_wrong"}, {"Authorization": "Basic eDp5"}):
            refused = client.request(method, where, headers=said)
            if path in OPEN:
                assert refused.status_code == 200, path
            else:
                assert (refused.status_code, is_a_problem(refused)) == (401, True), (method, path)
                assert refused.headers["www-authenticate"].startswith("Bearer "), (method, path)


def test_what_has_a_tag_keeps_to_conditions(client: TestClient, url: Any) -> None:
    """§13"""
    for path in GETS:
        got = client.get(url(path))
        etag = got.headers.get("etag")
        assert (etag is not None) == (path in TAGGED), path
        if etag is None:
            continue
        known = client.get(url(path), headers={"If-None-Match": f'"x", W/{etag}'})
        headed = client.head(url(path), headers={"If-None-Match": etag})
        other = client.get(url(path), headers={"If-None-Match": '"x"'})
        changed = client.get(url(path), headers={"If-Match": '"x"'})

        for answer in (known, headed):
            assert (answer.status_code, answer.content) == (304, b""), path
            for name in ("etag", "cache-control", "vary"):
                assert answer.headers.get(name) == got.headers.get(name), (path, name)
        assert (other.status_code, other.content) == (200, got.content), path
        assert (changed.status_code, is_a_problem(changed)) == (412, True), path


def test_what_is_another_version_than_was_seen_is_not_changed(client: TestClient, url: Any) -> None:
    """§13.1.1"""
    for method, path in ROUTES:
        if method != "GET":
            refused = client.request(method, url(path), headers={"If-Match": '"0", W/"1", "x", 1'})

            assert (refused.status_code, is_a_problem(refused)) == (412, True), (method, path)


def test_only_files_have_ranges(client: TestClient, url: Any) -> None:
    """§14"""
    for path in GETS:
        whole = client.get(url(path))
        part = client.get(url(path), headers={"Range": "bytes=0-1"})
        headed = client.head(url(path), headers={"Range": "bytes=0-1"})
        of_lines = client.get(url(path), headers={"Range": "lines=0-1"})

        is_file = path.endswith("/artifacts/{name}")
        assert ("accept-ranges" in whole.headers) is is_file, path
        assert part.status_code == (206 if is_file else whole.status_code), path
        assert headed.status_code == of_lines.status_code == whole.status_code, path
        assert len(of_lines.content) == len(whole.content), path


def test_several_parts_of_a_file_come_apart(client: TestClient, url: Any) -> None:
    """§14.6"""
    file = url("/v1/jobs/{job_id}/artifacts/{name}")

    parts = client.get(file, headers={"Range": "bytes=0-1,5-6,99-100"})
    later = client.get(file, headers={"Range": "bytes=0-1", "If-Range": "Mon, 01 Jan 2001 00:00:00 GMT"})

    assert parts.status_code == 206
    assert parts.headers["content-type"].startswith("multipart/byteranges; boundary=")
    assert b"Content-Range: bytes 0-1/10" in parts.content
    assert b"Content-Range: bytes 5-6/10" in parts.content
    assert (later.status_code, later.content) == (200, b"0123456789")


def test_what_is_chosen_by_accept_says_so(client: TestClient, url: Any) -> None:
    """§12.5.5, §15.5.7"""
    for path in GETS:
        got = client.get(url(path))
        none = client.get(url(path), headers={"Accept": "image/png"})
        picky = client.get(url(path), headers={"Accept": "application/json;q=0, */*;q=0.1"})

        assert ("accept" in got.headers.get("vary", "").lower()) == (path in NEGOTIATED), path
        if not (path in OPEN or path.endswith("/artifacts/{name}")):
            assert (none.status_code, is_a_problem(none)) == (406, True), path
            assert picky.status_code == (200 if path in NEGOTIATED else 406), path


def test_an_answer_without_coding_is_sent_whatever_codings_are_asked_for(client: TestClient, url: Any) -> None:
    """§12.5.3: a server sends no coding where it has none that is wanted."""
    for path in GETS:
        asked = client.get(url(path), headers={"Accept-Encoding": "identity;q=0, br"})

        assert asked.status_code == client.get(url(path)).status_code, path
        assert "content-encoding" not in asked.headers, path


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Content-Encoding": "gzip"}, "gzip"),
        ({"Content-Encoding": "br, gzip"}, "br, gzip"),
        ({"Content-Type": "text/plain"}, "text/plain"),
        ({"Content-Type": "application/json; charset=latin-1"}, "latin-1"),
        ({"Content-Type": ""}, "none"),
    ],
    ids=str,
)
def test_a_body_in_a_coding_or_type_that_is_not_read_is_a_415(
    headers: dict[str, str], named: str, client: TestClient, url: Any
) -> None:
    """§15.5.16"""
    for path in [path for method, path in ROUTES if method == "POST" and path in BODIED]:
        refused = client.post(url(path), content=b'{"a": 1}', headers={"Content-Type": "application/json"} | headers)

        assert (refused.status_code, is_a_problem(refused)) == (415, True), path
        assert named in refused.json()["detail"], path
        assert {"accept", "accept-encoding"} & refused.headers.keys(), path


def test_every_post_takes_json_in_any_spelling_of_its_type(client: TestClient, url: Any) -> None:
    """§8.3.1"""
    for path in sorted(BODIED):
        for spelled in (
            "Application/JSON",
            'application/json; charset="UTF-8"',
            "application/json;charset=utf8",
            "application/x+json",
        ):
            refused = client.post(url(path), content=b"[]", headers={"Content-Type": spelled})

            assert refused.status_code == 422, (path, spelled)


def test_a_parameter_that_takes_one_value_comes_once(client: TestClient, url: Any) -> None:
    document = client.get("/openapi.json").json()
    for path in GETS:
        for parameter in document["paths"][path]["get"].get("parameters", []):
            name, is_list = parameter["name"], parameter["schema"].get("type") == "array"
            if parameter["in"] == "query" and not is_list:
                refused = client.get(url(path), params=[(name, "1"), (name, "2")])
                assert (refused.status_code, is_a_problem(refused)) == (422, True), (path, name)
                assert refused.json()["errors"][0] | {"message": ""} == {
                    "parameter": name,
                    "code": "given_twice",
                    "message": "",
                }


@pytest.mark.parametrize("public_url", [None, "https://train.example.org/regcore/"])
def test_addresses_are_those_of_the_public_url(public_url: str | None, with_tables: Settings, spec: Any) -> None:
    """§10.2.2"""
    prefix = "" if public_url is None else public_url.rstrip("/")
    app = create_app(with_tables.model_copy(update={"public_url": public_url}))
    token = (with_tables.data_dir / "api-key").read_text().strip()

    with TestClient(app, base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {token}"}) as client:
        made = client.post("/v1/jobs", json=spec)
        document = client.get("/openapi.json").json()

    assert made.headers["location"] == f"{prefix}/v1/jobs/{made.json()['id']}"
    assert document.get("servers") == (None if public_url is None else [{"url": prefix}])
