from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request

from api.http.errors import ProblemError
from api.http.etags import is_known
from api.services import Services
from jobs.model import Job

TAG = '"3"'
AT = 1_700_000_000.9
BEFORE, THEN = "Tue, 14 Nov 2023 22:13:19 GMT", "Tue, 14 Nov 2023 22:13:20 GMT"

# Conditions in the order of precedence of RFC 9110, section 13.2.2.
CASES: list[tuple[dict[str, str], bool | None]] = [
    ({}, False),
    ({"If-None-Match": TAG}, True),
    ({"If-None-Match": 'W/"3"'}, True),
    ({"If-None-Match": '"2", W/"3" ,"4"'}, True),
    ({"If-None-Match": '"a,b","3"'}, True),
    ({"If-None-Match": "*"}, True),
    ({"If-None-Match": '"33"'}, False),
    ({"If-None-Match": "3"}, False),
    ({"If-None-Match": '"2","4"'}, False),
    ({"If-None-Match": ""}, False),
    ({"If-Match": TAG}, False),
    ({"If-Match": '"2", "3"'}, False),
    ({"If-Match": "*"}, False),
    ({"If-Match": '"2"'}, None),
    ({"If-Match": 'W/"3"'}, None),
    ({"If-Match": ""}, None),
    ({"If-Match": '"2"', "If-None-Match": TAG}, None),
    ({"If-Match": TAG, "If-None-Match": TAG}, True),
    ({"If-Match": TAG, "If-Unmodified-Since": BEFORE}, False),
    ({"If-Unmodified-Since": BEFORE}, None),
    ({"If-Unmodified-Since": THEN}, False),
    ({"If-Unmodified-Since": "yesterday"}, False),
    ({"If-Modified-Since": THEN}, True),
    ({"If-Modified-Since": BEFORE}, False),
    ({"If-Modified-Since": "2023-11-14"}, False),
    ({"If-Modified-Since": THEN, "If-None-Match": '"2"'}, False),
]


@pytest.mark.parametrize(("headers", "expected"), CASES, ids=str)
def test_conditions_hold_by_tags_first_and_by_times_where_there_are_none(
    headers: dict[str, str], expected: bool | None
) -> None:
    given = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "headers": given})

    if expected is None:
        with pytest.raises(ProblemError, match="not how it is now"):
            is_known(request, TAG, AT)
    else:
        assert is_known(request, TAG, AT) is expected


def test_what_has_no_time_has_no_conditions_on_it() -> None:
    headers = [(b"if-modified-since", THEN.encode()), (b"if-unmodified-since", BEFORE.encode())]

    assert not is_known(Request({"type": "http", "headers": headers}), TAG)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/cancel"), ("POST", "/pause"), ("POST", "/rerun"), ("DELETE", "")]
)
def test_a_job_that_has_changed_since_it_was_seen_is_left_as_it_is(
    method: str, path: str, client: TestClient, running: tuple[str, int], problem_of: Any
) -> None:
    url = f"/v1/jobs/{running[0]}"
    before = client.get(url)

    problem_of(client.request(method, url + path, headers={"If-Match": '"0"'}), 412, "precondition_failed")

    assert client.get(url).headers["etag"] == before.headers["etag"]


def test_a_job_that_is_as_it_was_seen_may_be_changed(client: TestClient, running: tuple[str, int]) -> None:
    url = f"/v1/jobs/{running[0]}"
    etag = client.get(url).headers["etag"]

    assert client.post(f"{url}/cancel", headers={"If-Match": f'"x", {etag}'}).status_code == 202


def test_a_request_that_is_repeated_gets_its_first_answer_though_the_job_has_changed_by_it(
    client: TestClient, running: tuple[str, int], num_jobs: Any
) -> None:
    url = f"/v1/jobs/{running[0]}"
    for path in ("/rerun", "/cancel"):
        headers = {"If-Match": client.get(url).headers["etag"], "Idempotency-Key": path}
        first = client.post(url + path, headers=headers)
        client.post(f"{url}/pause" if path == "/rerun" else f"{url}/cancel")

        again = client.post(url + path, headers=headers)

        assert (again.status_code, again.json()["id"]) == (first.status_code, first.json()["id"]), path
    assert num_jobs() == 2


def test_a_change_in_the_moment_before_is_seen(
    client: TestClient, running: tuple[str, int], services: Services, problem_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another request pauses the job after this one was let in."""
    url = f"/v1/jobs/{running[0]}"
    etag = client.get(url).headers["etag"]
    cancel = services.store.request_cancel

    def pause_before(tenant: str, job_id: str, *more: Any) -> Job:
        services.store.request_pause(tenant, job_id)
        return cancel(tenant, job_id, *more)

    monkeypatch.setattr(services.store, "request_cancel", pause_before)

    problem_of(client.post(f"{url}/cancel", headers={"If-Match": etag}), 412, "precondition_failed")

    assert client.get(url).json()["state"] == "pausing"


def test_what_has_no_version_is_never_the_one_that_was_seen(
    client: TestClient, spec: dict[str, Any], problem_of: Any, num_jobs: Any
) -> None:
    problem_of(client.post("/v1/jobs", json=spec, headers={"If-Match": '"1"'}), 412, "precondition_failed")

    assert num_jobs() == 0
