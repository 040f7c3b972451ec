from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from one_job import append, ids_of, lost, requeue, saved

from jobs.errors import StaleRunError
from jobs.model import Capabilities, ClaimedRun, Job, NewRecord, Settlement
from jobs.states import JobState
from jobs.store import Store

ENOUGH_BYTES = 10**9


def test_start_notes_the_first_start_only(
    store: Store,
    tenant: str,
    running: Callable[..., ClaimedRun],
    cpu: Capabilities,
    rewind: Callable[..., None],
) -> None:
    run = running()
    job_id = run.jobs[0].id
    rewind("jobs", "started_at", 5.0)
    requeue(store, run.run_id, job_id)
    again = store.claim("wrk_1", cpu)
    assert again is not None

    assert store.start_all(again.run_id)[job_id]
    assert store.start_all(again.run_id)[job_id]

    job = store.get(tenant, job_id)
    assert (job.started_at, job.attempt) == (5.0, 2)
    assert [one.state.value for one in job.transitions].count("running") == 2


def test_start_says_no_to_a_job_that_was_cancelled_meanwhile(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities
) -> None:
    job_id = submit().id
    run = store.claim("wrk_1", cpu)
    assert run is not None
    store.request_cancel(tenant, job_id)

    assert not store.start_all(run.run_id)[job_id]


def test_each_job_of_a_run_starts_unless_it_was_cancelled(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities
) -> None:
    ids = [submit(fusion_key="same").id for _ in range(3)]
    run = store.claim("wrk_1", cpu)
    assert run is not None
    store.join(run.run_id, ids[0], cpu, 2, ENOUGH_BYTES)
    store.request_cancel(tenant, ids[1])

    started = store.start_all(run.run_id)

    assert started == {ids[0]: True, ids[1]: False, ids[2]: True}
    states = [JobState.RUNNING, JobState.CANCELLING, JobState.RUNNING]
    assert store.states(run.run_id) == dict(zip(ids, states, strict=True))


def test_a_replayed_step_keeps_its_first_record(store: Store, tenant: str, running: Callable[..., ClaimedRun]) -> None:
    run = running()
    job_id = run.jobs[0].id

    def metrics(step: int, value: float) -> NewRecord:
        return NewRecord("metrics", {"step": step, "value": value}, 1.0, key=f"step:{step}")

    append(store, run.run_id, job_id, [metrics(1, 1.0), metrics(2, 2.0)])
    append(store, run.run_id, job_id, [metrics(2, -2.0), metrics(3, 3.0), metrics(3, -3.0)])

    rows = store.records(tenant, job_id, kinds=["metrics"])
    assert [row.body["value"] for row in rows] == [1.0, 2.0, 3.0]
    assert [row.seq for row in rows] == [4, 5, 6]


def test_the_same_key_of_another_kind_or_job_is_another_record(
    store: Store, tenant: str, running_group: Callable[..., ClaimedRun]
) -> None:
    run = running_group(2)
    both = [NewRecord("metrics", {}, 1.0, key="step:1"), NewRecord("warning", {}, 1.0, key="step:1")]

    store.append_all(run.run_id, {job.id: both for job in run.jobs})

    kinds = [[row.kind for row in store.records(tenant, job.id, kinds=["metrics", "warning"])] for job in run.jobs]
    assert kinds == [["metrics", "warning"]] * 2


def test_thousands_of_records_at_once(store: Store, tenant: str, running: Callable[..., ClaimedRun]) -> None:
    run = running()
    many = [NewRecord("metrics", {"step": n}, 1.0, key=f"step:{n}") for n in range(2500)]

    append(store, run.run_id, run.jobs[0].id, many)
    append(store, run.run_id, run.jobs[0].id, many)

    assert len(store.records(tenant, run.jobs[0].id, limit=9999, kinds=["metrics"])) == 2500


def test_progress_becomes_the_jobs(store: Store, tenant: str, running: Callable[..., ClaimedRun]) -> None:
    run = running()
    job_id = run.jobs[0].id
    before = store.get(tenant, job_id).version

    append(store, run.run_id, job_id, [NewRecord("progress", {"fraction": share}, 1.0) for share in (0.1, 0.2)])

    job = store.get(tenant, job_id)
    assert job.progress == {"fraction": 0.2}
    assert job.version > before


def test_a_warning_about_the_spec_becomes_the_jobs_once(
    store: Store, tenant: str, running: Callable[..., ClaimedRun], cpu: Capabilities
) -> None:
    run = running()
    job_id = run.jobs[0].id
    before = store.get(tenant, job_id).warnings
    found = {"code": "class_in_one_split", "pointer": "/data/target", "message": "-", "remedy": "-", "patch": []}
    of_the_run = {"code": "checkpoint_failed", "message": "the disk is full"}

    append(store, run.run_id, job_id, [NewRecord("warning", body, 1.0, body["code"]) for body in (found, of_the_run)])
    requeue(store, run.run_id, job_id)
    again = store.claim("wrk_1", cpu)
    assert again is not None
    append(store, again.run_id, job_id, [NewRecord("warning", found, 2.0, found["code"])])

    assert store.get(tenant, job_id).warnings == [*before, found]


def test_appending_nothing_changes_nothing(store: Store, tenant: str, running: Callable[..., ClaimedRun]) -> None:
    run = running()
    before = store.get(tenant, run.jobs[0].id)

    append(store, run.run_id, before.id, [])

    assert store.get(tenant, before.id) == before


def test_a_checkpoint_becomes_the_jobs_with_the_run_that_saved_it(
    store: Store, tenant: str, running: Callable[..., ClaimedRun], cpu: Capabilities
) -> None:
    run = running()
    job_id = run.jobs[0].id
    saved = [NewRecord("checkpoint", {"step": step, "name": f"step-{step}"}, 1.0) for step in (10, 20)]

    append(store, run.run_id, job_id, [*saved, NewRecord("log", {"message": "later"}, 1.0)])
    append(store, run.run_id, job_id, [NewRecord("log", {"message": "no checkpoint"}, 1.0)])
    requeue(store, run.run_id, job_id)

    again = store.claim("wrk_1", cpu)
    assert again is not None
    own = {"owner": job_id, "run_id": run.run_id, "key": job_id, "furthest_step": 20}
    assert again.jobs[0].checkpoint == {"step": 20, "name": "step-20", **own}
    assert [one.body["step"] for one in store.records(tenant, job_id, kinds=["checkpoint"])] == [10, 20]


def test_records_of_all_are_written_together_each_into_its_own_log(
    store: Store, tenant: str, running_group: Callable[..., ClaimedRun]
) -> None:
    group = running_group(2)
    first, second = ids_of(group)
    step = NewRecord("metrics", {"step": 1}, 1.0, "step:1")

    store.append_all(group.run_id, {first: [step, saved(7)], second: [saved(7)]})

    own = {"owner": group.group_id, "run_id": group.run_id, "furthest_step": 7, "step": 7, "name": "step-7"}
    assert store.get(tenant, first).checkpoint == {**own, "key": first}
    assert store.get(tenant, second).checkpoint == {**own, "key": second}
    assert len(store.records(tenant, first, kinds=["metrics"])) == 1
    assert store.records(tenant, second, kinds=["metrics"]) == []


def test_records_of_a_job_that_is_no_longer_the_runs_keep_all_from_being_written(
    store: Store, tenant: str, running_group: Callable[..., ClaimedRun]
) -> None:
    group = running_group(2)
    first, second = ids_of(group)
    requeue(store, group.run_id, second)

    with pytest.raises(StaleRunError):
        store.append_all(group.run_id, {first: [saved(7)], second: [saved(7)]})

    assert store.get(tenant, first).checkpoint is None


def test_a_job_that_is_saved_apart_goes_on_from_there_and_leaves_its_group(
    store: Store, tenant: str, running_group: Callable[..., ClaimedRun], cpu: Capabilities
) -> None:
    group = running_group(3)
    first, second, third = ids_of(group)
    store.append_all(group.run_id, {job_id: [saved(5)] for job_id in (first, second, third)})

    append(store, group.run_id, second, [saved(7, apart=True)])
    ends = [Settlement(job_id=job_id, state=JobState.QUEUED, leaves=job_id == second) for job_id in ids_of(group)]
    store.settle(group.run_id, ends)
    runs = [store.claim("wrk_1", cpu) for _ in range(2)]

    checkpoint = store.get(tenant, second).checkpoint
    assert checkpoint is not None
    assert (checkpoint["owner"], checkpoint["key"], checkpoint["step"]) == (second, second, 7)
    assert [ids_of(run) for run in runs] == [[first, third], [second]]


def test_a_checkpoint_of_the_group_forgives_it_a_loss(
    store: Store, running_group: Callable[..., ClaimedRun], cpu: Capabilities
) -> None:
    run: ClaimedRun | None = running_group(2)
    ids = ids_of(run)

    for step in range(5):
        assert run is not None
        store.append_all(run.run_id, {job_id: [saved(step)] for job_id in ids})
        store.settle(run.run_id, [lost(job) for job in run.jobs])
        run = store.claim("wrk_1", cpu)
        assert ids_of(run) == ids


def test_records_written_while_cancels_come_in_have_no_gaps(
    store: Store, tenant: str, running: Callable[..., ClaimedRun]
) -> None:
    run = running()
    job_id = run.jobs[0].id

    def write(n: int) -> None:
        append(store, run.run_id, job_id, [NewRecord("log", {"message": str(n)}, 1.0)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
        pool.submit(store.request_cancel, tenant, job_id).result()
        renewals = [pool.submit(store.renew, run.run_id).result() for _ in range(3)]

    assert renewals == [True] * 3
    assert [record.seq for record in store.records(tenant, job_id)] == list(range(1, 45))
