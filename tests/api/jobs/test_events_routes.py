import json
import threading
import time
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from one_job import append, finish

import api.jobs.events
from api.services import Services
from jobs.model import NewRecord
from jobs.settings import Settings
from jobs.states import JobState

STREAM = {"Accept": "text/event-stream"}


def read_events(text: str) -> list[dict[str, str]]:
    """The fields of each event; written apart from the code under test, after the WHATWG's text."""
    blocks = [block for block in text.split("\n\n") if block]
    events = [dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":")) for block in blocks]
    return [event for event in events if "data" in event]


def test_a_page_of_events(client: TestClient, finished: str) -> None:
    first = client.get(f"/v1/jobs/{finished}/events?limit=3").json()
    rest = client.get(f"/v1/jobs/{finished}/events", params={"after": first["next_after"]}).json()

    events = first["data"] + rest["data"]
    assert (first["has_more"], rest["has_more"], rest["state"]) == (True, False, "succeeded")
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["kind"] == "state"
    assert events[-1]["body"]["state"] == "succeeded"


def test_a_stream_gives_the_whole_log_and_ends(client: TestClient, finished: str) -> None:
    response = client.get(f"/v1/jobs/{finished}/events", headers=STREAM)

    events = read_events(response.text)
    page = client.get(f"/v1/jobs/{finished}/events").json()["data"]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert [json.loads(event["data"]) for event in events] == page
    assert [int(event["id"]) for event in events] == [row["seq"] for row in page]
    assert [event["event"] for event in events] == [row["kind"] for row in page]


def test_a_reconnect_resumes_behind_the_last_event(client: TestClient, finished: str) -> None:
    response = client.get(f"/v1/jobs/{finished}/events", headers={**STREAM, "Last-Event-ID": "5"})

    assert next(int(event["id"]) for event in read_events(response.text)) == 6


def test_a_reconnect_after_the_terminal_event_is_a_204(client: TestClient, finished: str) -> None:
    last = client.get(f"/v1/jobs/{finished}/events").json()["next_after"]

    response = client.get(f"/v1/jobs/{finished}/events", headers={**STREAM, "Last-Event-ID": str(last)})

    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize("beyond", [0, 1, 1_000, 2**31 - 1])
@pytest.mark.parametrize("by_header", [True, False])
def test_behind_the_end_of_a_log_that_has_ended_there_is_nothing_to_wait_for(
    beyond: int, by_header: bool, client: TestClient, finished: str
) -> None:
    last = client.get(f"/v1/jobs/{finished}/events").json()["next_after"]
    after = min(last + beyond, 2**31 - 1)
    headers = {**STREAM, "Last-Event-ID": str(after)} if by_header else STREAM

    response = client.get(f"/v1/jobs/{finished}/events", headers=headers, params={} if by_header else {"after": after})

    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize(
    ("path", "headers", "params", "parameter"),
    [
        ("events", {**STREAM, "Last-Event-ID": "4"}, {}, "Last-Event-ID"),
        ("events", STREAM, {"after": 4}, "after"),
        ("events", {}, {"after": 2**31 - 1}, "after"),
        ("metrics", {}, {"after": 4}, "after"),
        ("metrics", {"Accept": "text/csv"}, {"after": 4, "max_points": 2}, "after"),
    ],
)
def test_a_place_beyond_the_end_of_a_log_that_goes_on_is_refused_with_the_last_one(
    path: str,
    headers: dict[str, str],
    params: dict[str, int],
    parameter: str,
    client: TestClient,
    running: tuple[str, int],
    problem_of: Any,
) -> None:
    response = client.get(f"/v1/jobs/{running[0]}/{path}", headers=headers, params=params)

    error = problem_of(response, 422, "invalid_parameter")["errors"][0]
    assert (error["parameter"], error["code"]) == (parameter, "beyond_the_end")
    assert "the last of which is 3" in error["message"]


@pytest.mark.parametrize("path", ["events", "metrics"])
@pytest.mark.parametrize("after", ["-1", str(2**31), str(2**63), str(2**70), "1e3", "", "null", "٣"])
def test_a_place_that_no_log_has_is_refused(
    path: str, after: str, client: TestClient, finished: str, problem_of: Any
) -> None:
    response = client.get(f"/v1/jobs/{finished}/{path}", params={"after": after})

    assert problem_of(response, 422, "invalid_parameter")["errors"][0]["parameter"] == "after"


def test_pages_behind_the_end_of_a_log_that_has_ended_are_empty(client: TestClient, finished: str) -> None:
    for path in ("events", "metrics"):
        page = client.get(f"/v1/jobs/{finished}/{path}", params={"after": 1_000}).json()

        assert (page["data"], page["has_more"], page["state"]) == ([], False, "succeeded")


def test_an_empty_last_event_id_is_none(client: TestClient, finished: str) -> None:
    response = client.get(f"/v1/jobs/{finished}/events", headers={**STREAM, "Last-Event-ID": ""})

    assert next(int(event["id"]) for event in read_events(response.text)) == 1


@pytest.mark.parametrize("value", ["x", "-1", "²", "99999999999999999999"])
def test_a_last_event_id_that_is_no_number_is_refused(
    value: str, client: TestClient, finished: str, problem_of: Any
) -> None:
    headers = {**STREAM, "Last-Event-ID": value.encode()}

    problem = problem_of(client.get(f"/v1/jobs/{finished}/events", headers=headers), 422, "invalid_parameter")

    assert problem["errors"][0]["parameter"] == "Last-Event-ID"


def test_a_stream_stays_silent_no_longer_than_its_comments(
    client: TestClient, services: Services, running: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id, run_id = running
    monkeypatch.setattr(api.jobs.events, "COMMENT_EVERY_S", 0.1)

    def finish_later() -> None:
        time.sleep(0.5)
        finish(services.store, run_id, job_id, JobState.SUCCEEDED)

    worker = threading.Thread(target=finish_later)
    worker.start()
    text = client.get(f"/v1/jobs/{job_id}/events", headers=STREAM).text
    worker.join()

    assert text.count(": still here") >= 2


def test_events_arrive_live_through_redis_and_a_reconnect_loses_none(
    settings: Settings, redis_url: str, serve: Any, free_tcp_port: int, spec: dict[str, Any]
) -> None:
    with serve(settings.model_copy(update={"redis_url": redis_url}), free_tcp_port) as (url, _process):
        token = (settings.data_dir / "api-key").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        job_id = httpx2.post(f"{url}/v1/jobs", json=spec, headers=headers).json()["id"]
        path = f"{url}/v1/jobs/{job_id}/events"

        seen = _read_until(path, headers | STREAM, 1)
        httpx2.post(f"{url}/v1/jobs/{job_id}/cancel", headers=headers)
        resumed = httpx2.get(path, headers=headers | STREAM | {"Last-Event-ID": str(seen)})
        again = httpx2.get(path, headers=headers | STREAM | {"Last-Event-ID": "2"})

    assert [event["id"] for event in read_events(resumed.text)] == ["2"]
    assert json.loads(read_events(resumed.text)[0]["data"])["body"]["state"] == "cancelled"
    assert again.status_code == 204


def test_a_deleted_job_ends_its_streams(client: TestClient, services: Services, running: tuple[str, int]) -> None:
    job_id, run_id = running
    append(services.store, run_id, job_id, [NewRecord("log", {"message": "hello"}, time.time())])

    def delete() -> None:
        time.sleep(0.3)
        finish(services.store, run_id, job_id, JobState.FAILED)
        services.store.delete("default", job_id)

    worker = threading.Thread(target=delete)
    worker.start()
    response = client.get(f"/v1/jobs/{job_id}/events", headers=STREAM)
    worker.join()

    assert response.status_code == 200
    assert "hello" in response.text


def _read_until(url: str, headers: dict[str, str], num_events: int) -> int:
    """Read so many events, and break the connection off; return the last id."""
    ids: list[int] = []
    with httpx2.stream("GET", url, headers=headers) as response:
        for line in response.iter_lines():
            if line.startswith("id: "):
                ids.append(int(line.removeprefix("id: ")))
            if len(ids) == num_events:
                break
    return ids[-1]
