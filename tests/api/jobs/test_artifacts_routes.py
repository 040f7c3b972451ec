import hashlib
import os
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from structlog.testing import capture_logs

from api.services import Services
from jobs.model import ArtifactRow
from jobs.settings import Settings

CONTENT = b"0123456789"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_artifacts_are_listed_with_their_addresses(client: TestClient, finished: str) -> None:
    listed = client.get(f"/v1/jobs/{finished}/artifacts").json()["data"]

    log = next(one for one in listed if one["name"] == "log.txt")
    assert (log["size_bytes"], log["sha256"]) == (10, SHA256)
    assert client.get(log["url"]).content == CONTENT


def test_the_address_of_a_file_leads_there_whatever_its_name(
    client: TestClient, services: Services, finished: str
) -> None:
    with services.store._database.write() as connection:
        connection.execute(text("UPDATE artifacts SET name = :name WHERE name = 'log.txt'"), {"name": "a b#1?é;x"})

    listed = client.get(f"/v1/jobs/{finished}/artifacts").json()["data"]

    response = client.get(next(one["url"] for one in listed if one["name"] == "a b#1?é;x"))
    assert response.content == CONTENT
    assert response.headers["content-disposition"] == "attachment; filename*=utf-8''a%20b%231%3F%C3%A9%3Bx"


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


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=99-100", "bytes=-0", "bytes=20-30,50-60"])
def test_a_range_outside_the_file_is_a_416(wanted: str, client: TestClient, finished: str, problem_of: Any) -> None:
    response = client.get(f"/v1/jobs/{finished}/artifacts/log.txt", headers={"Range": wanted})

    problem_of(response, 416, "range_not_satisfiable")
    assert response.headers["content-range"] == "bytes */10"


@pytest.mark.parametrize("wanted", ["bytes=4-2", "bytes=", "bytes=-", "nonsense"])
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


def _damage(services: Services, job_id: str, name: str, how: str) -> Path:
    """Do to the file of an artifact what disks and people do."""
    path = services.artifacts.path(services.store.artifact("default", job_id, name).sha256)
    content = path.read_bytes()
    path.unlink()
    if how == "truncated":
        path.write_bytes(content[:-1])
    elif how == "empty":
        path.touch()
    elif how == "longer":
        path.write_bytes(content + b"x")
    elif how == "directory":
        path.mkdir()
    elif how == "altered":
        path.write_bytes(content[::-1])
    elif how == "folder lost":
        path.parent.rmdir()
    return path


DAMAGES = {
    "truncated": "its file has 9 bytes instead of 10",
    "empty": "its file has 0 bytes instead of 10",
    "longer": "its file has 11 bytes instead of 10",
    "lost": "its file is lost",
    "folder lost": "its file is lost",
    "directory": "something else",
}


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize(
    "headers",
    [{}, {"Range": "bytes=0-1"}, {"Range": "bytes=99-"}, {"If-None-Match": f'"{SHA256}"'}, {"If-None-Match": "*"}],
    ids=str,
)
def test_a_damaged_file_is_never_served_and_the_log_tells_of_it(
    how: str,
    headers: dict[str, str],
    client: TestClient,
    services: Services,
    finished: str,
    problem_of: Any,
) -> None:
    _damage(services, finished, "log.txt", how)

    with capture_logs() as told:
        response = client.get(f"/v1/jobs/{finished}/artifacts/log.txt", headers=headers)

    problem = problem_of(response, 500, "artifact_damaged")
    assert "'log.txt' is damaged" in problem["detail"]
    assert DAMAGES[how] in problem["detail"]
    assert "etag" not in response.headers
    (line,) = [line for line in told if line["event"] == "artifact_damaged"]
    assert (line["log_level"], line["job_id"], line["name"]) == ("error", finished, "log.txt")


def test_a_file_that_may_not_be_read_is_damaged(
    client: TestClient, services: Services, finished: str, problem_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:  # to root nothing is denied
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(services.artifacts), "open", denied)

    response = client.get(f"/v1/jobs/{finished}/artifacts/log.txt")

    assert "cannot be read (Permission denied)" in problem_of(response, 500, "artifact_damaged")["detail"]


@pytest.mark.parametrize("how", ["truncated", "lost", "altered"])
def test_a_damaged_report_is_said_to_be_damaged(
    how: str, client: TestClient, services: Services, finished: str, problem_of: Any
) -> None:
    _damage(services, finished, "report.json", how)

    problem = problem_of(client.get(f"/v1/jobs/{finished}/report"), 500, "artifact_damaged")

    assert "report.json" in problem["detail"]


def test_a_file_whose_job_is_deleted_just_now_is_not_damaged(
    client: TestClient, services: Services, finished: str, problem_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = services.artifacts.find

    def delete_first(_: object, artifact: ArtifactRow) -> Path:
        services.store.delete("default", finished)
        services.artifacts.path(artifact.sha256).unlink()
        return find(artifact)

    monkeypatch.setattr(type(services.artifacts), "find", delete_first)

    problem_of(client.get(f"/v1/jobs/{finished}/artifacts/log.txt"), 404, "job_not_found")


def test_a_file_that_gets_shorter_while_it_is_sent_does_not_arrive_as_whole(
    settings: Settings, services: Services, finished: str, token: str, serve: Any, free_tcp_port: int
) -> None:
    with serve(settings, free_tcp_port) as (url, _):
        path = services.artifacts.path(SHA256)
        big = 64_000_000
        with path.open("r+b") as file:
            file.truncate(big)
        with services.store._database.write() as connection:
            connection.execute(text("UPDATE artifacts SET size_bytes = :size WHERE name = 'log.txt'"), {"size": big})
        headers = {"Authorization": f"Bearer {token}"}

        with httpx2.stream("GET", f"{url}/v1/jobs/{finished}/artifacts/log.txt", headers=headers) as response:
            assert response.headers["content-length"] == str(big)
            os.truncate(path, 10)
            with pytest.raises(httpx2.RemoteProtocolError):
                response.read()
