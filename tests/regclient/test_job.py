import threading
from typing import Any

import pytest
from small_proxy import SmallProxy

from regclient import Client, Job, JobFailedError, NotFoundError, UsageError, WaitTimeoutError
from regclient.http.deadline import NO_DEADLINE, current_deadline
from regclient.stack.process import wait_until

SPEC: dict[str, Any] = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}


@pytest.fixture
def job(server: Any) -> Any:
    with Client(max_retries=3) as client:
        yield client.jobs.create(SPEC)


def test_wait_returns_once_it_has_ended(server: Any, job: Job) -> None:
    server.ends_after_gets = 3

    assert job.wait(timeout_s=10, progress=False).state == "succeeded"


def test_wait_hands_what_it_sees_to_a_function(server: Any, job: Job) -> None:
    server.ends_after_gets = 2
    seen: list[str] = []

    job.wait(timeout_s=10, progress=lambda body: seen.append(body["state"]))

    assert seen == ["queued", "succeeded"]


def test_wait_times_out_and_leaves_the_job_alone(server: Any, job: Job) -> None:
    with pytest.raises(WaitTimeoutError, match="still queued"):
        job.wait(timeout_s=0.2, progress=False)

    assert server.jobs[job.id]["state"] == "queued"


def test_raise_for_state_gives_the_reason_and_its_remedy(server: Any, job: Job) -> None:
    reason = {"code": "diverged", "message": "The loss is not finite.", "remedy": "Lower the learning rate."}
    server.jobs[job.id].update(state="failed", state_reason=reason)

    with pytest.raises(JobFailedError, match=r"diverged: The loss is not finite. Lower the learning rate."):
        job.wait(progress=False, check=False).raise_for_state()


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_wait_raises_with_the_reason_unless_it_is_told_not_to(server: Any, job: Job, state: str) -> None:
    reason = {"code": "diverged", "message": "The loss is not finite.", "remedy": "Lower the learning rate."}
    server.jobs[job.id].update(state=state, state_reason=reason)

    with pytest.raises(JobFailedError, match="diverged: The loss is not finite") as caught:
        job.wait(progress=False)

    assert (caught.value.state, caught.value.reason) == (state, reason)
    assert job.wait(progress=False, check=False).state == state


@pytest.mark.timeout(60)
def test_wait_gives_up_on_a_server_that_is_silent_and_says_what_it_last_saw(server: Any) -> None:
    with SmallProxy(server.url) as proxy, Client(proxy.url) as client:
        job = client.jobs.create(SPEC)
        proxy.is_silent = True

        with pytest.raises(WaitTimeoutError, match=f"{proxy.url} within 1 s. {job.id} was queued") as caught:
            job.wait(1, progress=False)

    assert (caught.value.awaited_id, caught.value.state) == (job.id, "queued")


@pytest.mark.parametrize("timeout_s", [0, 0.2])
def test_a_wait_without_time_looks_once(server: Any, job: Job, timeout_s: float) -> None:
    server.jobs[job.id]["state"] = "succeeded"

    assert job.wait(timeout_s, progress=False).state == "succeeded"


@pytest.mark.parametrize("timeout_s", [-1, float("nan"), "3"])
def test_a_time_that_is_none_is_refused_by_every_wait(job: Job, timeout_s: Any) -> None:
    for wait in (job.wait, lambda timeout_s: list(job.events(timeout_s=timeout_s))):
        with pytest.raises(UsageError, match="timeout_s"):
            wait(timeout_s)


def test_wait_and_events_outlive_a_proxy_whose_server_restarts_for_longer_than_a_request_is_tried(
    server: Any,
) -> None:
    with SmallProxy(server.url) as proxy, Client(proxy.url, max_retries=1) as client:
        job = client.jobs.create(SPEC)
        for follow in (lambda: job.wait(progress=False).state, lambda: [event["seq"] for event in job.events()][-1]):
            server.jobs[job.id]["state"] = "succeeded"
            proxy.is_down = True
            asked = len(proxy.received)
            restarted = threading.Thread(target=come_back, args=(proxy, asked + 3))
            restarted.start()

            assert follow() in ("succeeded", 6)

            restarted.join()


def come_back(proxy: SmallProxy, after_requests: int) -> None:
    """Have the proxy's server be there again once so many requests have been refused."""
    assert wait_until(lambda: len(proxy.received) >= after_requests, 60)
    proxy.is_down = False


def test_a_stream_that_breaks_anywhere_is_taken_up_again_with_nothing_lost_and_nothing_twice(server: Any) -> None:
    with SmallProxy(server.url) as proxy, Client(proxy.url) as client:
        job = client.jobs.create(SPEC)
        server.jobs[job.id]["state"] = "succeeded"

        for cut in (0, 60, 150, 300, 420, 555):
            proxy.cut_after_bytes, proxy.refusals = cut, []
            seen = [event["seq"] for event in job.events()]

            assert seen == [1, 2, 3, 4, 5, 6]


def test_events_within_a_time_say_how_the_job_was_when_it_ended(server: Any, job: Job) -> None:
    server.events = [{"seq": 1, "at": "t", "kind": "state", "body": {"state": "running"}}]

    with pytest.raises(WaitTimeoutError, match=r"is still running after 0\.3 s"):
        list(job.events(timeout_s=0.3))


def test_the_time_of_events_does_not_bind_what_is_asked_in_between(server: Any, job: Job) -> None:
    for _ in job.events(timeout_s=30):
        assert current_deadline() is NO_DEADLINE


def test_metrics_walk_every_page(job: Job) -> None:
    assert [row["epoch"] for row in job.metrics()] == [1, 2, 3]


def test_a_broken_event_stream_is_resumed_where_it_broke(server: Any, job: Job) -> None:
    server.jobs[job.id]["state"] = "succeeded"
    server.break_stream_after = 3

    seen = [event["seq"] for event in job.events()]

    assert seen == [1, 2, 3, 4, 5, 6]
    streams = [headers for _, _, headers in server.requests if headers["accept"] == "text/event-stream"]
    assert [headers.get("last-event-id") for headers in streams] == [None, "3"]


@pytest.mark.parametrize("after", [0, 4, 6, 1_000])
def test_events_of_a_job_that_has_ended_end_though_no_stream_says_anything(server: Any, job: Job, after: int) -> None:
    server.mute_streams = True
    server.jobs[job.id]["state"] = "succeeded"

    seen = [event["seq"] for event in job.events(after=after)]

    assert seen == list(range(after + 1, 7))


def test_events_of_a_job_that_is_deleted_meanwhile_end_by_saying_so(server: Any, job: Job) -> None:
    server.mute_streams = True
    del server.jobs[job.id]

    with pytest.raises(NotFoundError):
        list(job.events())


def test_events_without_follow_are_those_so_far(job: Job) -> None:
    assert [event["seq"] for event in job.events(after=4, follow=False)] == [5, 6]


def test_an_unknown_field_is_an_attribute_error(job: Job) -> None:
    with pytest.raises(AttributeError, match="no field 'colour'"):
        _ = job.colour


def test_a_field_of_a_newer_server_is_an_attribute(server: Any, job: Job) -> None:
    server.jobs[job.id]["novelty"] = 7

    assert job.refresh().novelty == 7


def test_events_of_a_real_job_come_live_in_order_and_each_once(real_client: Client, short_spec: dict[str, Any]) -> None:
    job = real_client.jobs.create(short_spec)

    events = list(job.events())

    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    states = [event["body"]["state"] for event in events if event["kind"] == "state"]
    assert states == ["queued", "starting", "running", "succeeded"]
    steps = [event["body"]["step"] for event in events if event["kind"] == "metrics"]
    assert steps == [row["step"] for row in job.metrics()]
    assert list(job.events(after=events[2]["seq"], follow=False)) == events[3:]
    assert list(job.events(after=events[-1]["seq"])) == []
    assert list(job.events(after=events[-1]["seq"] + 1_000)) == []


def test_a_real_job_s_report_and_fields_are_there(real_client: Client, trained_id: str) -> None:
    job = real_client.jobs.get(trained_id)

    assert job.result is not None
    assert job.report()["metrics"]["test"]["accuracy"]["value"] == job.result["metrics"]["test/accuracy"]
    assert {artifact["name"] for artifact in job.artifacts()} >= {"model.safetensors", "log.txt", "metrics.csv"}


def test_load_model_gives_the_trained_network(real_client: Client, trained_id: str) -> None:
    from regcore.artifacts import weights_sha256

    job = real_client.jobs.get(trained_id)

    model = job.load_model()

    assert job.result is not None
    assert weights_sha256(model.state_dict()) == job.result["weights_sha256"]
    assert not model.training


def test_load_predictor_reads_raw_digits(real_client: Client, trained_id: str) -> None:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)

    predictions = real_client.jobs.get(trained_id).load_predictor().predict(images)

    assert sum(predictions == labels) / len(labels) > 0.8


def test_a_model_is_loaded_without_the_disk_so_that_nothing_is_left_on_it(
    real_client: Client, trained_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = real_client.jobs.get(trained_id)
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")

    assert job.load_predictor().task == "classification"


def test_a_model_that_is_not_there_is_said_to_be_missing(job: Job) -> None:
    with pytest.raises(FileNotFoundError, match=r"no artifact model\.json\. It has: model\.safetensors"):
        job.load_predictor()


def test_a_real_job_is_cancelled_and_deleted(real_client: Client, endless_spec: dict[str, Any]) -> None:
    job = real_client.jobs.create(endless_spec)

    job.cancel()
    job.wait(timeout_s=30, progress=False, check=False)
    job.delete()

    assert job.state == "cancelled"
    with pytest.raises(NotFoundError):
        real_client.jobs.get(job.id)


def test_a_real_job_is_paused_and_goes_on(real_client: Client, endless_spec: dict[str, Any]) -> None:
    job = real_client.jobs.create(endless_spec)
    assert wait_until(lambda: job.refresh().state == "running" and job.progress["step"] > 0, 60)

    job.pause()
    assert wait_until(lambda: job.refresh().state == "paused", 60)
    stopped_at = job.progress["step"]
    real_client.jobs.resume(job.id)
    assert wait_until(lambda: job.refresh().state == "running" and job.progress["step"] > stopped_at, 60)
    again = real_client.jobs.pause(job.id)

    assert again.state in ("pausing", "paused")
    job.cancel().wait(timeout_s=30, progress=False, check=False)
    assert [step["state"] for step in job.transitions[:6]] == [
        "queued",
        "starting",
        "running",
        "pausing",
        "paused",
        "queued",
    ]


def test_a_real_job_that_was_cancelled_goes_on_in_a_rerun(real_client: Client, endless_spec: dict[str, Any]) -> None:
    often = {**endless_spec["training"], "checkpoint_every_s": 0.1}
    job = real_client.jobs.create({**endless_spec, "training": often})
    assert wait_until(lambda: any(event["kind"] == "checkpoint" for event in job.events(follow=False)), 60)
    job.cancel().wait(timeout_s=30, progress=False, check=False)

    again = job.rerun(start_from="checkpoint")
    assert wait_until(lambda: again.refresh().state == "running" and len(again.metrics()) > 0, 60)
    again.cancel().wait(timeout_s=30, progress=False, check=False)

    assert again.parent_job_id == job.id
    assert again.metrics()[0]["epoch"] > 1


def test_a_real_job_begins_with_the_weights_of_another(real_client: Client, trained_id: str) -> None:
    briefly = [{"op": "replace", "path": "/training/epochs", "value": 1}]

    again = real_client.jobs.rerun(trained_id, briefly, "weights").wait(timeout_s=60, progress=False)

    before, after = (real_client.jobs.get(job_id).metrics() for job_id in (trained_id, again.raise_for_state().id))
    assert after[0]["values"]["train/loss"] < before[0]["values"]["train/loss"]


def test_the_newest_metrics_are_one_row_or_none(job: Job) -> None:
    newest = job.latest_metrics()

    assert newest is not None
    assert (newest["seq"], job.latest_metrics(after=3)) == (3, None)
