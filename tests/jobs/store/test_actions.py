from collections.abc import Callable
from dataclasses import replace

import pytest
from one_job import finish, requeue

from jobs.errors import IdempotencyMismatchError, IllegalActionError, JobNotFoundError
from jobs.model import ArtifactRow, Capabilities, ClaimedRun, IdempotencyKey, Job, NewJob, NewSweep
from jobs.states import JobState
from jobs.store import Store


def test_a_queued_job_is_cancelled_at_once(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities
) -> None:
    job = store.request_cancel(tenant, submit().id)

    assert job.state is JobState.CANCELLED
    assert job.state_reason is not None
    assert job.state_reason["code"] == "cancelled_by_user"
    assert job.finished_at == job.transitions[-1].at
    assert store.claim("wrk_1", cpu) is None
    assert store.due_jobs() == []


@pytest.mark.parametrize("started", [False, True])
def test_a_job_with_a_run_is_asked_to_stop(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities, started: bool
) -> None:
    job_id = submit().id
    run = store.claim("wrk_1", cpu)
    assert run is not None
    if started:
        store.start_all(run.run_id)

    job = store.request_cancel(tenant, job_id)

    assert job.state is JobState.CANCELLING
    assert job.finished_at is None
    assert store.renew(run.run_id), "it has the time to stop by itself"


def test_cancelling_again_is_harmless(
    store: Store, tenant: str, running: Callable[..., ClaimedRun], submit: Callable[..., Job]
) -> None:
    stopping = running().jobs[0].id
    queued = submit().id
    for job_id in (stopping, queued):
        first = store.request_cancel(tenant, job_id)

        assert store.request_cancel(tenant, job_id) == first


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED])
def test_a_job_that_ended_by_itself_cannot_be_cancelled(
    store: Store, tenant: str, running: Callable[..., ClaimedRun], state: JobState
) -> None:
    run = running()
    finish(store, run.run_id, run.jobs[0].id, state)

    with pytest.raises(IllegalActionError, match=state.value):
        store.request_cancel(tenant, run.jobs[0].id)


def test_a_cancel_with_a_key_replays_its_first_answer(
    store: Store, tenant: str, running: Callable[..., ClaimedRun], key: Callable[..., IdempotencyKey]
) -> None:
    run = running()
    job_id = run.jobs[0].id
    first = store.request_cancel(tenant, job_id, key())
    finish(store, run.run_id, job_id, JobState.SUCCEEDED)

    assert store.request_cancel(tenant, job_id, key()) == first
    with pytest.raises(IdempotencyMismatchError):
        store.request_cancel(tenant, job_id, key(body="another"))


def test_a_key_used_for_another_body_cancels_nothing(
    store: Store, tenant: str, submit: Callable[..., Job], key: Callable[..., IdempotencyKey]
) -> None:
    one, other = submit(), submit()
    store.request_cancel(tenant, one.id, key(body="one"))

    with pytest.raises(IdempotencyMismatchError):
        store.request_cancel(tenant, other.id, key(body="other"))

    assert store.state(tenant, other.id) is JobState.QUEUED


def test_deleting_takes_log_labels_and_artifacts(store: Store, tenant: str, running: Callable[..., ClaimedRun]) -> None:
    shared = ArtifactRow("metrics.csv", 1, "c" * 64, "text/csv")
    own = [ArtifactRow("log.txt", 1, "a" * 64, "text/plain"), ArtifactRow("x.txt", 1, "b" * 64, "text/plain")]
    run = running("goes", labels={"a": "b"})
    finish(store, run.run_id, run.jobs[0].id, JobState.SUCCEEDED, artifacts=[shared, *own])
    other = running("stays")
    finish(store, other.run_id, other.jobs[0].id, JobState.SUCCEEDED, artifacts=[shared])

    freed = store.delete(tenant, run.jobs[0].id)

    assert freed == ["a" * 64, "b" * 64]
    assert store.referenced(["a" * 64, "b" * 64, "c" * 64]) == {"c" * 64}
    assert [job.name for job in store.list(tenant).data] == ["stays"]
    with pytest.raises(JobNotFoundError):
        store.records(tenant, run.jobs[0].id)


def test_only_a_job_that_has_ended_can_be_deleted(
    store: Store, tenant: str, submit: Callable[..., Job], running: Callable[..., ClaimedRun]
) -> None:
    for job_id in (running().jobs[0].id, submit().id):
        with pytest.raises(IllegalActionError, match="Cancel it first"):
            store.delete(tenant, job_id)


def test_another_tenants_job_can_be_neither_cancelled_nor_deleted(
    store: Store, tenant: str, submit: Callable[..., Job]
) -> None:
    job = submit()

    with pytest.raises(JobNotFoundError):
        store.request_cancel("tenant-b", job.id)
    with pytest.raises(JobNotFoundError):
        store.delete("tenant-b", job.id)

    assert store.get(tenant, job.id) == job


# Pausing and resuming


def test_a_queued_job_is_paused_at_once_and_resumed(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities
) -> None:
    job_id = submit().id

    paused = store.request_pause(tenant, job_id)
    claimed_while_paused = store.claim("wrk_1", cpu)
    resumed = store.resume(tenant, job_id)

    assert (paused.state, paused.state_reason and paused.state_reason["code"]) == (JobState.PAUSED, "paused_by_user")
    assert claimed_while_paused is None
    assert (resumed.state, resumed.state_reason) == (JobState.QUEUED, None)
    assert store.due_jobs() == [job_id]
    assert store.claim("wrk_1", cpu) is not None


@pytest.mark.parametrize("started", [False, True])
def test_a_job_with_a_run_pauses_once_the_run_has_stopped(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities, started: bool
) -> None:
    job_id = submit().id
    run = store.claim("wrk_1", cpu)
    assert run is not None
    if started:
        store.start_all(run.run_id)

    pausing = store.request_pause(tenant, job_id)
    after = requeue(store, run.run_id, job_id)

    assert pausing.state is JobState.PAUSING
    assert after is JobState.PAUSED
    assert [step.reason for step in store.get(tenant, job_id).transitions][-2:] == ["paused_by_user"] * 2


def test_a_resume_while_it_is_still_pausing_puts_it_back_into_the_queue(
    store: Store, tenant: str, running: Callable[..., ClaimedRun]
) -> None:
    run = running()
    job_id = run.jobs[0].id
    store.request_pause(tenant, job_id)

    resumed = store.resume(tenant, job_id)
    after = requeue(store, run.run_id, job_id)

    assert resumed.state is JobState.PAUSING
    assert after is JobState.QUEUED
    assert store.get(tenant, job_id).state_reason is None


def test_the_last_word_counts_while_it_is_pausing(
    store: Store, tenant: str, running: Callable[..., ClaimedRun]
) -> None:
    run = running()
    job_id = run.jobs[0].id
    store.request_pause(tenant, job_id)
    store.resume(tenant, job_id)

    store.request_pause(tenant, job_id)

    assert requeue(store, run.run_id, job_id) is JobState.PAUSED


def test_a_pausing_job_can_still_be_cancelled_or_succeed(
    store: Store, tenant: str, running: Callable[..., ClaimedRun]
) -> None:
    cancelled, succeeded = running(), running()
    for run in (cancelled, succeeded):
        store.request_pause(tenant, run.jobs[0].id)

    store.request_cancel(tenant, cancelled.jobs[0].id)
    finish(store, succeeded.run_id, succeeded.jobs[0].id, JobState.SUCCEEDED)

    assert requeue(store, cancelled.run_id, cancelled.jobs[0].id) is JobState.CANCELLED
    assert store.state(tenant, succeeded.jobs[0].id) is JobState.SUCCEEDED


def test_pausing_and_resuming_what_is_so_already_is_harmless(
    store: Store, tenant: str, running: Callable[..., ClaimedRun], submit: Callable[..., Job]
) -> None:
    runs, waits = running().jobs[0].id, submit().id
    before = [store.get(tenant, job_id) for job_id in (runs, waits)]

    assert [store.resume(tenant, job_id) for job_id in (runs, waits)] == before
    first = [store.request_pause(tenant, job_id) for job_id in (runs, waits)]
    assert [store.request_pause(tenant, job_id) for job_id in (runs, waits)] == first


@pytest.mark.parametrize("action", ["request_pause", "resume"])
def test_a_job_that_has_ended_or_is_about_to_can_be_neither_paused_nor_resumed(
    store: Store, tenant: str, running: Callable[..., ClaimedRun], submit: Callable[..., Job], action: str
) -> None:
    ended, stopping, cancelled = running(), running(), submit()
    finish(store, ended.run_id, ended.jobs[0].id, JobState.SUCCEEDED)
    store.request_cancel(tenant, stopping.jobs[0].id)
    store.request_cancel(tenant, cancelled.id)

    for job_id in (ended.jobs[0].id, stopping.jobs[0].id, cancelled.id):
        with pytest.raises(IllegalActionError, match=store.state(tenant, job_id).value):
            getattr(store, action)(tenant, job_id)


def test_a_pause_with_a_key_replays_its_first_answer(
    store: Store, tenant: str, submit: Callable[..., Job], key: Callable[..., IdempotencyKey]
) -> None:
    job_id = submit().id
    first = store.request_pause(tenant, job_id, key())
    store.resume(tenant, job_id)

    assert store.request_pause(tenant, job_id, key()) == first
    assert store.state(tenant, job_id) is JobState.QUEUED


def test_a_member_of_a_sweep_is_deleted_with_its_sweep_alone(
    store: Store, tenant: str, new_job: Callable[..., NewJob]
) -> None:
    member = replace(new_job(), sweep={"variant": None, "values": {}, "seed": 0, "candidate": "0"})
    submission = store.submit_sweep(tenant, NewSweep("sweep", {}, {}, [member]))
    (job_id,) = [job.id for job in store.list(tenant).data]
    store.request_cancel(tenant, job_id)
    before = store.get_sweep(tenant, submission.sweep.id)

    with pytest.raises(IllegalActionError, match=f"a job that is a member of {submission.sweep.id}. Delete the sweep"):
        store.delete(tenant, job_id)

    assert store.get_sweep(tenant, submission.sweep.id) == before
