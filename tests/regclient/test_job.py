from pathlib import Path
from typing import Any

import pytest

from regclient import Client, IntegrityError, Job, JobFailedError, WaitTimeoutError

SPEC: dict[str, Any] = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}


@pytest.fixture
def job(server: Any) -> Any:
    with Client(max_retries=3) as client:
        yield client.jobs.create(SPEC)


def test_wait_returns_once_it_has_ended(server: Any, job: Job) -> None:
    server.ends_after_gets = 3

    assert job.wait(timeout_s=10, progress=False).state == "succeeded"


def test_wait_times_out_and_leaves_the_job_alone(server: Any, job: Job) -> None:
    with pytest.raises(WaitTimeoutError, match="still queued"):
        job.wait(timeout_s=0.2, progress=False)

    assert server.jobs[job.id]["state"] == "queued"


def test_raise_for_state_gives_the_reason_and_its_remedy(server: Any, job: Job) -> None:
    reason = {"code": "diverged", "message": "The loss is not finite.", "remedy": "Lower the learning rate."}
    server.jobs[job.id].update(state="failed", state_reason=reason)

    with pytest.raises(JobFailedError, match=r"diverged: The loss is not finite. Lower the learning rate."):
        job.wait(progress=False).raise_for_state()


def test_metrics_walk_every_page(job: Job) -> None:
    assert [row["epoch"] for row in job.metrics()] == [1, 2, 3]


def test_a_broken_event_stream_is_resumed_where_it_broke(server: Any, job: Job) -> None:
    server.jobs[job.id]["state"] = "succeeded"
    server.break_stream_after = 3

    seen = [event["seq"] for event in job.events()]

    assert seen == [1, 2, 3, 4, 5, 6]
    streams = [headers for _, _, headers in server.requests if headers["accept"] == "text/event-stream"]
    assert [headers.get("last-event-id") for headers in streams] == [None, "3"]


def test_events_without_follow_are_those_so_far(job: Job) -> None:
    assert [event["seq"] for event in job.events(after=4, follow=False)] == [5, 6]


def test_download_saves_what_was_announced(job: Job, tmp_path: Path) -> None:
    [path] = job.download(tmp_path / "new")

    assert path == tmp_path / "new" / "model.safetensors"
    assert path.stat().st_size == job.artifacts()[0]["size_bytes"]


def test_download_refuses_other_bytes(server: Any, job: Job, tmp_path: Path) -> None:
    server.sha256 = "0" * 64

    with pytest.raises(IntegrityError, match="announced 0000"):
        job.download(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_download_of_an_unknown_name_says_what_there_is(job: Job, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"It has: model\.safetensors"):
        job.download(tmp_path, ["nope"])


def test_an_unknown_field_is_an_attribute_error(job: Job) -> None:
    with pytest.raises(AttributeError, match="no field 'colour'"):
        _ = job.colour


def test_a_field_of_a_newer_server_is_an_attribute(server: Any, job: Job) -> None:
    server.jobs[job.id]["novelty"] = 7

    assert job.refresh().novelty == 7
