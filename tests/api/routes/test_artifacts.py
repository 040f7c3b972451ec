import hashlib
from typing import Any

import pytest
from fastapi.testclient import TestClient

CONTENT = b"0123456789"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_artifacts_are_listed_with_their_addresses(client: TestClient, finished: str) -> None:
    listed = client.get(f"/v1/jobs/{finished}/artifacts").json()["data"]

    log = next(one for one in listed if one["name"] == "log.txt")
    assert (log["size_bytes"], log["sha256"]) == (10, SHA256)
    assert client.get(log["url"]).content == CONTENT


def test_a_file_is_an_attachment_with_its_hash_as_etag(client: TestClient, finished: str) -> None:
    response = client.get(f"/v1/jobs/{finished}/artifacts/log.txt")

    assert response.headers["etag"] == f'"{SHA256}"'
    assert response.headers["content-disposition"] == 'attachment; filename="log.txt"'
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["x-content-type-options"] == "nosniff"
    again = client.get(f"/v1/jobs/{finished}/artifacts/log.txt", headers={"If-None-Match": f'"{SHA256}"'})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("wanted", "content", "content_range"),
    [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
    ],
)
def test_a_range_is_a_part(wanted: str, content: bytes, content_range: str, client: TestClient, finished: str) -> None:
    response = client.get(f"/v1/jobs/{finished}/artifacts/log.txt", headers={"Range": wanted})

    assert (response.status_code, response.content) == (206, content)
    assert response.headers["content-range"] == content_range


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=99-100", "bytes=-0", "bytes=0-1,50-60"])
def test_a_range_outside_the_file_is_a_416(wanted: str, client: TestClient, finished: str, problem_of: Any) -> None:
    response = client.get(f"/v1/jobs/{finished}/artifacts/log.txt", headers={"Range": wanted})

    problem_of(response, 416, "range_not_satisfiable")
    assert response.headers["content-range"] == "bytes */10"


@pytest.mark.parametrize("wanted", ["lines=1-2", "bytes=4-2", "bytes=", "bytes=-", "nonsense"])
def test_a_range_that_makes_no_sense_is_a_400(wanted: str, client: TestClient, finished: str, problem_of: Any) -> None:
    response = client.get(f"/v1/jobs/{finished}/artifacts/log.txt", headers={"Range": wanted})

    assert problem_of(response, 400, "invalid_range")["errors"][0]["parameter"] == "Range"


def test_a_range_of_another_version_gets_the_whole_file(client: TestClient, finished: str) -> None:
    headers = {"Range": "bytes=99-", "If-Range": '"older"'}

    response = client.get(f"/v1/jobs/{finished}/artifacts/log.txt", headers=headers)

    assert (response.status_code, response.content) == (200, CONTENT)


@pytest.mark.parametrize(
    "name", ["none.txt", "..", "%2e%2e", "%252e%252e", "%00", "..%2f..%2fapi-key", "%2fetc%2fpasswd"]
)
def test_no_name_leads_out(name: str, client: TestClient, finished: str, token: str) -> None:
    response = client.get(f"/v1/jobs/{finished}/artifacts/{name}")

    assert token not in response.text
    assert response.status_code == 404 or response.url.path.endswith((finished, f"{finished}/"))


def test_the_report_of_a_job_that_has_succeeded(client: TestClient, finished: str) -> None:
    response = client.get(f"/v1/jobs/{finished}/report")

    assert (response.status_code, response.json()) == (200, {"metrics": {}})


def test_a_running_job_has_no_report_yet(client: TestClient, running: tuple[str, int], problem_of: Any) -> None:
    problem = problem_of(client.get(f"/v1/jobs/{running[0]}/report"), 404, "report_not_found")

    assert "running" in problem["detail"]
