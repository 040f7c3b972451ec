from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from one_job import append, finish, lose, requeue

from jobs.errors import IllegalTransitionError, StaleRunError
from jobs.model import ArtifactRow, Capabilities, ClaimedRun, Job, NewRecord
from jobs.states import JobState, Reason, make_reason
from jobs.store import Store


def test_the_job_that_waits_is_the_one_that_a_claim_takes(
    store: Store, submit: Callable[..., Job], cpu: Capabilities
) -> None:
    submit("later")
    best = submit("sooner", priority="high").id
    submit("elsewhere", priority="high", device="cuda")

    waiting = store.waiting_job(cpu)
    claimed = [store.claim("wrk_1", cpu) for _ in range(2)]

    assert waiting == best
    assert [run and run.jobs[0].name for run in claimed] == ["sooner", "later"]
    assert store.waiting_job(cpu) is None


def test_a_claim_starts_a_run_with_a_new_attempt(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities
) -> None:
    submitted = submit()

    run = store.claim("wrk_1", cpu)

    assert run is not None
    (job,) = run.jobs
    assert job == store.get(tenant, submitted.id)
    assert (job.state, job.attempt, job.started_at) == (JobState.STARTING, 1, None)
    assert job.heartbeat_at is not None
    assert store.claim("wrk_2", cpu) is None


def test_run_ids_grow(store: Store, submit: Callable[..., Job], cpu: Capabilities) -> None:
    for _ in range(3):
        submit()

    ids = [run.run_id for run in (store.claim("wrk_1", cpu) for _ in range(3)) if run]

    assert ids == sorted(set(ids))
    assert len(ids) == 3


def test_high_priority_first_then_oldest(store: Store, submit: Callable[..., Job], cpu: Capabilities) -> None:
    for name, priority in [("1", "low"), ("2", "normal"), ("3", "high"), ("4", "normal"), ("5", "high")]:
        submit(name, priority=priority)

    claimed = [run.jobs[0].name for run in (store.claim("wrk_1", cpu) for _ in range(5)) if run]

    assert claimed == ["3", "5", "2", "4", "1"]


@pytest.mark.parametrize(
    ("device", "pool", "devices", "worker_pool", "takes"),
    [
        ("auto", None, {"cpu"}, None, True),
        ("auto", None, {"cuda"}, "a", True),
        ("cpu", None, {"cpu", "cuda"}, None, True),
        ("cuda", None, {"cpu"}, None, False),
        ("cuda", None, {"cpu", "cuda"}, None, True),
        ("auto", "a", {"cpu"}, "a", True),
        ("auto", "a", {"cpu"}, "b", False),
        ("auto", "a", {"cpu"}, None, False),
        ("cuda", "a", {"cpu"}, "a", False),
    ],
)
def test_a_worker_takes_what_it_can_do(
    store: Store,
    submit: Callable[..., Job],
    device: str,
    pool: str | None,
    devices: set[str],
    worker_pool: str | None,
    takes: bool,
) -> None:
    submit(device=device, pool=pool)
    capabilities = Capabilities(frozenset(devices), worker_pool)

    assert capabilities.can_take(device, pool) is takes
    assert (store.claim("wrk_1", capabilities) is not None) is takes


def test_of_twenty_claims_at_once_one_wins(store: Store, submit: Callable[..., Job], cpu: Capabilities) -> None:
    submit()

    with ThreadPoolExecutor(20) as pool:
        claims = [pool.submit(store.claim, f"wrk_{n}", cpu) for n in range(20)]
        runs = [claim.result() for claim in claims]

    assert len([run for run in runs if run]) == 1


def test_claims_at_once_share_the_jobs_out(store: Store, submit: Callable[..., Job], cpu: Capabilities) -> None:
    ids = {submit().id for _ in range(8)}

    with ThreadPoolExecutor(8) as pool:
        claims = [pool.submit(store.claim, f"wrk_{n}", cpu) for n in range(8)]
        runs = [run for run in (claim.result() for claim in claims) if run]

    assert {run.jobs[0].id for run in runs} == ids
    assert len({run.run_id for run in runs}) == len(runs)


def test_a_renewal_is_a_heartbeat_and_leaves_the_version(
    store: Store, tenant: str, running: Callable[..., ClaimedRun], pass_lease: Callable[[int], None]
) -> None:
    run = running()
    before = store.get(tenant, run.jobs[0].id)
    pass_lease(run.run_id)

    renewal = store.renew(run.run_id)

    after = store.get(tenant, run.jobs[0].id)
    assert renewal
    assert after.heartbeat_at is not None
    assert before.heartbeat_at is not None
    assert after.heartbeat_at >= before.heartbeat_at
    assert (after.version, after.updated_at) == (before.version, before.updated_at)
    assert store.expire_leases() == []


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


def test_appending_nothing_changes_nothing(store: Store, tenant: str, running: Callable[..., ClaimedRun]) -> None:
    run = running()
    before = store.get(tenant, run.jobs[0].id)

    append(store, run.run_id, before.id, [])

    assert store.get(tenant, before.id) == before


def test_finish_writes_everything_at_once(store: Store, tenant: str, running: Callable[..., ClaimedRun]) -> None:
    run = running()
    job_id = run.jobs[0].id
    result = {"metrics": {"test/loss": 0.5}}
    log = ArtifactRow("log.txt", 3, "a" * 64, "text/plain")

    usage = {"device_s": 1.5, "peak_memory_bytes": 10}
    finish(store, run.run_id, job_id, JobState.SUCCEEDED, None, result, usage, [log])

    job = store.get(tenant, job_id)
    assert (job.state, job.result, job.usage) == (JobState.SUCCEEDED, result, usage)
    assert job.finished_at == job.updated_at == job.transitions[-1].at
    assert store.artifacts(tenant, job_id) == [log]
    assert not store.renew(run.run_id)


def test_a_finish_that_cannot_be_written_leaves_the_job_running(
    store: Store, tenant: str, running: Callable[..., ClaimedRun]
) -> None:
    run = running()
    before = store.get(tenant, run.jobs[0].id)
    twice = [ArtifactRow("log.txt", 3, "a" * 64, "text/plain")] * 2

    with pytest.raises(Exception, match=r"(?i)unique"):
        finish(store, run.run_id, before.id, JobState.SUCCEEDED, artifacts=twice)

    assert store.get(tenant, before.id) == before
    assert store.renew(run.run_id)


def test_a_failure_keeps_its_reason(store: Store, tenant: str, running: Callable[..., ClaimedRun]) -> None:
    run = running()
    reason = make_reason(Reason.DIVERGED, "The loss became NaN at step 7.", details={"step": 7})

    finish(store, run.run_id, run.jobs[0].id, JobState.FAILED, reason)

    job = store.get(tenant, run.jobs[0].id)
    assert job.state_reason == reason
    assert job.transitions[-1].reason == "diverged"


def test_a_cancelled_job_says_so(store: Store, tenant: str, running: Callable[..., ClaimedRun]) -> None:
    run = running()
    store.request_cancel(tenant, run.jobs[0].id)

    finish(store, run.run_id, run.jobs[0].id, JobState.CANCELLED)

    assert store.get(tenant, run.jobs[0].id).state_reason == make_reason(Reason.CANCELLED_BY_USER)


def test_an_illegal_end_is_refused(store: Store, submit: Callable[..., Job], cpu: Capabilities) -> None:
    submit()
    run = store.claim("wrk_1", cpu)
    assert run is not None

    with pytest.raises(IllegalTransitionError):
        finish(store, run.run_id, run.jobs[0].id, JobState.SUCCEEDED)


def test_usage_adds_up_over_attempts(
    store: Store, tenant: str, running: Callable[..., ClaimedRun], cpu: Capabilities
) -> None:
    run = running()
    job_id = run.jobs[0].id
    requeue(store, run.run_id, job_id, usage={"device_s": 2.0, "peak_memory_bytes": 100})
    again = store.claim("wrk_1", cpu)
    assert again is not None

    finish(store, again.run_id, job_id, JobState.FAILED, usage={"device_s": 0.5, "peak_memory_bytes": 70})

    assert store.get(tenant, job_id).usage == {"device_s": 2.5, "peak_memory_bytes": 100}


def test_a_lost_run_gives_its_job_back_until_that_happened_too_often(
    store: Store,
    tenant: str,
    submit: Callable[..., Job],
    cpu: Capabilities,
    rewind: Callable[..., None],
) -> None:
    job_id = submit().id
    reason, last_reason = make_reason(Reason.WORKER_LOST), make_reason(Reason.POISONED)
    files = [ArtifactRow("log.txt", 1, "a" * 64, "text/plain")]
    states = []

    for _ in range(3):
        run = store.claim("wrk_1", cpu)
        assert run is not None
        states.append(lose(store, run.run_id, job_id, reason, last_reason, {"device_s": 2.0}, files))
        rewind("jobs", "claimable_at")

    job = store.get(tenant, job_id)
    assert states == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]
    assert [step.reason for step in job.transitions if step.reason] == ["worker_lost", "worker_lost", "poisoned"]
    assert job.state_reason is not None
    assert job.state_reason["details"] == {"attempt": 3, "num_lost_attempts": 3, "max_attempts": 3}
    assert job.usage["device_s"] == 6.0
    assert store.artifacts(tenant, job_id) == files
    assert store.owing_files() == []


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


def test_a_success_without_files_owes_them(store: Store, running: Callable[..., ClaimedRun]) -> None:
    with_files, without = running(), running()
    files = [ArtifactRow("log.txt", 1, "a" * 64, "text/plain")]

    finish(store, with_files.run_id, with_files.jobs[0].id, JobState.SUCCEEDED, artifacts=files)
    finish(store, without.run_id, without.jobs[0].id, JobState.FAILED)

    assert [job.id for job in store.owing_files()] == [without.jobs[0].id]


def test_requeueing_a_cancelled_job_ends_it(
    store: Store, tenant: str, running: Callable[..., ClaimedRun], cpu: Capabilities
) -> None:
    run = running()
    store.request_cancel(tenant, run.jobs[0].id)

    assert requeue(store, run.run_id, run.jobs[0].id) is JobState.CANCELLED
    assert store.claim("wrk_1", cpu) is None


LOST = make_reason(Reason.WORKER_LOST)
WRITES = [
    lambda store, run_id, job_id: append(store, run_id, job_id, [NewRecord("log", {"message": "late"}, 1.0)]),
    lambda store, run_id, job_id: append(store, run_id, job_id, []),
    lambda store, run_id, job_id: finish(store, run_id, job_id, JobState.FAILED),
    lambda store, run_id, job_id: append(store, run_id, job_id, [NewRecord("checkpoint", {"step": 1}, 1.0)]),
    lambda store, run_id, job_id: requeue(store, run_id, job_id),
    lambda store, run_id, job_id: lose(store, run_id, job_id, LOST, LOST),
]
ENDS = [
    lambda store, run, job_id, pass_lease: finish(store, run, job_id, JobState.SUCCEEDED),
    lambda store, run, job_id, pass_lease: requeue(store, run, job_id),
    lambda store, run, job_id, pass_lease: (pass_lease(run), store.expire_leases()),
]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("claimed_again", [False, True])
def test_a_run_that_is_not_the_current_one_writes_nothing(
    store: Store,
    tenant: str,
    running: Callable[..., ClaimedRun],
    cpu: Capabilities,
    pass_lease: Callable[[int], None],
    write: Callable[..., object],
    end: Callable[..., object],
    claimed_again: bool,
) -> None:
    run = running()
    job_id = run.jobs[0].id
    end(store, run.run_id, job_id, pass_lease)
    if claimed_again:
        store.claim("wrk_2", cpu)
    before = store.get(tenant, job_id)

    with pytest.raises(StaleRunError):
        write(store, run.run_id, job_id)

    assert store.start_all(run.run_id) == {}
    assert store.get(tenant, job_id) == before
    assert not store.renew(run.run_id)


def test_a_run_writes_only_to_its_own_jobs(
    store: Store, submit: Callable[..., Job], running: Callable[..., ClaimedRun]
) -> None:
    run = running()
    other = submit()

    with pytest.raises(StaleRunError):
        append(store, run.run_id, other.id, [])
    with pytest.raises(StaleRunError):
        append(store, run.run_id + 1000, other.id, [])


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
