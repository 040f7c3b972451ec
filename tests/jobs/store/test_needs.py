from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from one_job import append, finish, requeue
from sqlalchemy import event, text

from jobs.database import Database
from jobs.errors import IllegalActionError, JobNotFoundError
from jobs.model import Capabilities, ClaimedRun, Job, NewJob, NewRecord, NewSweep
from jobs.states import JobState
from jobs.store import Store
from jobs.store.needs import hold_needs
from jobs.store.submission import initial_job, insert_jobs

NOBODY = "job_" + "0" * 26


@pytest.fixture
def parent(store: Store, tenant: str, submit: Callable[..., Job]) -> str:
    """A job that has ended."""
    return store.request_cancel(tenant, submit("parent").id).id


@pytest.fixture
def new_child(new_job: Callable[..., NewJob], parent: str) -> NewJob:
    """A job to submit that needs the parent."""
    return replace(new_job("child"), needs=frozenset({parent}))


def test_what_a_waiting_job_needs_is_not_deleted_and_the_job_is_named(
    store: Store, tenant: str, parent: str, new_child: NewJob
) -> None:
    child = store.submit(tenant, new_child).job

    with pytest.raises(IllegalActionError) as refused:
        store.delete(tenant, parent)

    assert str(refused.value) == (
        f"Cannot delete a job that is needed by {child.id} (queued). Wait until it has ended, or cancel it first."
    )
    assert store.get(tenant, parent).id == parent


def test_of_many_that_need_it_some_are_named(store: Store, tenant: str, parent: str, new_child: NewJob) -> None:
    ids = [store.submit(tenant, new_child).job.id for _ in range(5)]

    with pytest.raises(IllegalActionError) as refused:
        store.delete(tenant, parent)

    named = ", ".join(f"{job_id} (queued)" for job_id in ids[:3])
    assert f"needed by {named} and others. Wait until they have ended, or cancel them first." in str(refused.value)


@pytest.mark.parametrize("state", ["starting", "running", "pausing", "paused", "cancelling", "lost"])
def test_it_is_held_in_every_state_but_the_last_ones(
    store: Store, tenant: str, parent: str, new_child: NewJob, cpu: Capabilities, state: str
) -> None:
    child = store.submit(tenant, new_child).job.id
    if state == "paused":
        store.request_pause(tenant, child)
    else:
        run = store.claim("wrk_1", cpu)
        assert run is not None
        if state != "starting":
            store.start_all(run.run_id)
        if state == "pausing":
            store.request_pause(tenant, child)
        if state == "cancelling":
            store.request_cancel(tenant, child)
        if state == "lost":
            requeue(store, run.run_id, child)

    with pytest.raises(IllegalActionError, match=child):
        store.delete(tenant, parent)


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED])
def test_it_goes_once_the_job_that_needed_it_has_ended(
    store: Store, tenant: str, parent: str, new_child: NewJob, cpu: Capabilities, state: JobState
) -> None:
    child = store.submit(tenant, new_child).job.id
    run = store.claim("wrk_1", cpu)
    assert run is not None
    store.start_all(run.run_id)
    if state is JobState.CANCELLED:
        store.request_cancel(tenant, child)
    finish(store, run.run_id, child, state)

    store.delete(tenant, parent)

    assert store.state(tenant, child) is state
    with pytest.raises(JobNotFoundError):
        store.get(tenant, parent)


@pytest.mark.parametrize("of", ["nobody", "another tenant"])
def test_a_job_that_needs_what_is_not_there_is_not_stored(
    store: Store, tenant: str, parent: str, new_child: NewJob, of: str
) -> None:
    needed, asker = (NOBODY, tenant) if of == "nobody" else (parent, "tenant-b")

    with pytest.raises(JobNotFoundError, match=needed):
        store.submit(asker, replace(new_child, needs=frozenset({needed})))

    assert [job.id for job in store.list(tenant).data] == [parent]
    assert store.list("tenant-b").data == []


def test_a_sweep_whose_member_is_needed_stays_whole(
    store: Store, tenant: str, submit_sweep: Callable[..., Any], end: Callable[..., str], new_job: Callable[..., NewJob]
) -> None:
    sweep = submit_sweep(1)
    members = [end(JobState.SUCCEEDED), end(JobState.SUCCEEDED)]
    child = store.submit(tenant, replace(new_job(), needs=frozenset({members[1]}))).job.id

    with pytest.raises(IllegalActionError, match=f"a sweep that is needed by {child}"):
        store.delete_sweep(tenant, sweep.id)

    assert [store.state(tenant, member) for member in members] == [JobState.SUCCEEDED] * 2
    store.request_cancel(tenant, child)
    store.delete_sweep(tenant, sweep.id)


def test_what_a_sweeps_members_need_is_held_too(
    store: Store, tenant: str, parent: str, new_sweep: Callable[..., NewSweep]
) -> None:
    made = new_sweep(1)
    members = [replace(member, needs=frozenset({parent})) for member in made.members]
    sweep = store.submit_sweep(tenant, replace(made, members=members)).sweep

    with pytest.raises(IllegalActionError, match="needed by"):
        store.delete(tenant, parent)

    store.cancel_sweep(tenant, sweep.id)
    store.delete(tenant, parent)


def test_a_delete_that_comes_while_a_job_is_being_stored_sees_it(
    store: Store,
    database: Database,
    tenant: str,
    parent: str,
    new_child: NewJob,
    wait_until_blocked: Callable[[], None],
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            insert_jobs(connection, [(initial_job(tenant, new_child, 1.0), new_child)], 60)
            deleting = pool.submit(store.delete, tenant, parent)
            wait_until_blocked()
        error = deleting.exception(10)

    assert isinstance(error, IllegalActionError)
    assert store.get(tenant, parent).id == parent


def test_a_job_that_comes_while_what_it_needs_is_being_deleted_is_not_stored(
    store: Store,
    database: Database,
    tenant: str,
    parent: str,
    new_child: NewJob,
    wait_until_blocked: Callable[[], None],
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            connection.execute(text("DELETE FROM jobs WHERE id = :id"), {"id": parent})
            submitting = pool.submit(store.submit, tenant, new_child)
            wait_until_blocked()
        error = submitting.exception(10)

    assert isinstance(error, JobNotFoundError)
    assert store.list(tenant).data == []


@pytest.fixture
def saved(store: Store, tenant: str, running: Callable[..., ClaimedRun]) -> str:
    """A job that was cancelled after it had saved a checkpoint."""
    run = running("saved")
    job_id = run.jobs[0].id
    body = {"step": 7, "name": "step-000000000007", "bytes": 1}
    append(store, run.run_id, job_id, [NewRecord("checkpoint", body, 1.0, key="step:7")])
    store.request_cancel(tenant, job_id)
    finish(store, run.run_id, job_id, JobState.CANCELLED)
    return job_id


def goes_on(store: Store, tenant: str, new_job: Callable[..., NewJob], saved: str) -> NewJob:
    checkpoint = store.get(tenant, saved).checkpoint
    return replace(new_job(checkpoint=checkpoint), parent_job_id=saved, needs=frozenset({saved}))


def test_a_checkpoint_that_is_to_be_deleted_is_no_more_to_go_on_from(
    store: Store, tenant: str, new_job: Callable[..., NewJob], saved: str
) -> None:
    new = goes_on(store, tenant, new_job, saved)

    gone = store.forget_checkpoints([saved, NOBODY])

    assert gone == {saved, NOBODY}
    assert store.get(tenant, saved).checkpoint is None
    with pytest.raises(IllegalActionError, match="without its checkpoint"):
        store.submit(tenant, new)


def test_many_checkpoints_are_forgotten_in_few_statements_and_others_write_in_between(
    store: Store, tenant: str, new_job: Callable[..., NewJob], saved: str
) -> None:
    child = store.submit(tenant, goes_on(store, tenant, new_job, saved)).job.id
    others = [f"job_{number:026}" for number in range(1100)]
    updates: list[str] = []
    commits: list[object] = []
    engine = store._database.engine
    event.listen(engine, "before_cursor_execute", lambda *args: updates.extend([args[2]] * ("UPDATE jobs" in args[2])))
    event.listen(engine, "commit", commits.append)

    gone = store.forget_checkpoints([*others[:550], saved, *others[550:]])

    assert (len(updates), len(commits)) == (3, 3)
    assert gone == set(others)
    assert store.get(tenant, child).checkpoint is not None


def test_a_checkpoint_is_kept_for_a_rerun_that_waits(
    store: Store, tenant: str, new_job: Callable[..., NewJob], saved: str
) -> None:
    before = store.get(tenant, saved)
    child = store.submit(tenant, goes_on(store, tenant, new_job, saved)).job.id

    gone = store.forget_checkpoints([saved])

    assert gone == set()
    assert store.get(tenant, saved) == before
    store.request_cancel(tenant, child)
    assert store.forget_checkpoints([saved]) == {saved}
    assert store.get(tenant, child).checkpoint is None


def test_a_rerun_that_is_being_stored_keeps_the_checkpoint(
    store: Store,
    database: Database,
    tenant: str,
    new_job: Callable[..., NewJob],
    saved: str,
    wait_until_blocked: Callable[[], None],
) -> None:
    new = goes_on(store, tenant, new_job, saved)

    with ThreadPoolExecutor(1) as pool:
        with database.write() as connection:
            insert_jobs(connection, [(initial_job(tenant, new, 1.0), new)], 60)
            forgetting = pool.submit(store.forget_checkpoints, [saved])
            wait_until_blocked()
        gone = forgetting.result(10)

    assert gone == set()
    assert store.get(tenant, saved).checkpoint is not None


def test_a_job_without_needs_asks_for_nothing(
    database: Database, tenant: str, new_job: Callable[..., NewJob], running: Callable[..., ClaimedRun]
) -> None:
    job = running().jobs[0]

    with database.write() as connection:
        hold_needs(connection, [(job, new_job())])
        held = connection.execute(text("SELECT count(*) FROM job_needs")).scalar_one()

    assert held == 0
