from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from one_job import append, requeue

from jobs.database import Database
from jobs.model import ArtifactRow, Capabilities, ClaimedRun, Job, NewRecord, Settlement, WorkerInfo
from jobs.states import JobState
from jobs.store import Store
from jobs.store.log import lock_jobs
from jobs.tables import jobs


def test_a_live_lease_is_left_alone(store: Store, tenant: str, running: Callable[..., ClaimedRun]) -> None:
    run = running()

    assert store.expire_leases() == []
    assert store.state(tenant, run.jobs[0].id) is JobState.RUNNING


def test_a_lost_workers_job_goes_back_to_the_queue(
    store: Store,
    tenant: str,
    running: Callable[..., ClaimedRun],
    cpu: Capabilities,
    pass_lease: Callable[[int], None],
) -> None:
    run = running()
    job_id = run.jobs[0].id
    pass_lease(run.run_id)

    assert store.expire_leases() == [job_id]
    assert store.expire_leases() == []

    job = store.get(tenant, job_id)
    assert job.state is JobState.QUEUED
    assert job.transitions[-1].reason == "worker_lost"
    assert job.state_reason is not None
    assert job.state_reason["details"] == {"attempt": 1, "num_lost_attempts": 1, "max_attempts": 3}
    assert store.due_jobs() == [job_id]
    again = store.claim("wrk_2", cpu)
    assert again is not None
    assert again.run_id > run.run_id
    assert again.jobs[0].attempt == 2
    assert again.jobs[0].state_reason is None


def test_a_job_that_loses_every_worker_fails(
    store: Store,
    tenant: str,
    submit: Callable[..., Job],
    cpu: Capabilities,
    pass_lease: Callable[[int], None],
    rewind: Callable[..., None],
) -> None:
    job_id = submit().id
    for _ in range(3):
        rewind("jobs", "claimable_at")
        run = store.claim("wrk_1", cpu)
        assert run is not None
        pass_lease(run.run_id)
        store.expire_leases(max_attempts=3)

    job = store.get(tenant, job_id)
    assert job.state is JobState.FAILED
    assert job.state_reason is not None
    assert job.state_reason["code"] == "worker_lost"
    assert job.finished_at is not None
    assert store.claim("wrk_1", cpu) is None


def test_a_drain_does_not_count_as_a_lost_attempt(
    store: Store,
    tenant: str,
    submit: Callable[..., Job],
    cpu: Capabilities,
    pass_lease: Callable[[int], None],
) -> None:
    job_id = submit().id
    for lost in (True, False, False, False, True):
        run = store.claim("wrk_1", cpu)
        assert run is not None
        if lost:
            pass_lease(run.run_id)
            store.expire_leases(max_attempts=3)
        else:
            requeue(store, run.run_id, job_id)

    assert store.state(tenant, job_id) is JobState.QUEUED


def test_a_cancelled_job_whose_worker_is_lost_is_cancelled(
    store: Store, tenant: str, running: Callable[..., ClaimedRun], pass_lease: Callable[[int], None]
) -> None:
    run = running()
    store.request_cancel(tenant, run.jobs[0].id)
    pass_lease(run.run_id)

    store.expire_leases(max_attempts=1)

    job = store.get(tenant, run.jobs[0].id)
    assert job.state is JobState.CANCELLED
    assert job.transitions[-1].reason == "cancelled_by_user"


def test_a_due_job_is_put_off_with_growing_backoff(
    store: Store, submit: Callable[..., Job], rewind: Callable[..., None]
) -> None:
    job_id = submit().id

    for _ in range(20):
        assert store.due_jobs() == [job_id]
        assert store.due_jobs() == []
        rewind("jobs", "publish_at")


def test_asking_for_due_jobs_does_not_change_the_job(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities
) -> None:
    store.register_worker(WorkerInfo("wrk_1", "node", cpu))
    job = submit()

    store.due_jobs()

    assert store.get(tenant, job.id) == job


def test_the_best_due_jobs_come_first(store: Store, submit: Callable[..., Job]) -> None:
    submit("low", priority="low")
    best = [submit("high", priority="high").id, submit("normal").id]

    assert store.due_jobs(limit=2) == best


def test_a_job_that_no_live_worker_can_take_says_so_until_one_can(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities, rewind: Callable[..., None]
) -> None:
    store.register_worker(WorkerInfo("wrk_1", "node", cpu))
    job_id = submit(device="cuda").id

    store.due_jobs()
    waiting = store.get(tenant, job_id)
    rewind("jobs", "publish_at")
    store.due_jobs()
    still_waiting = store.get(tenant, job_id)
    store.register_worker(WorkerInfo("wrk_2", "node", Capabilities(frozenset({"cuda"}))))
    rewind("jobs", "publish_at")
    store.due_jobs()

    assert waiting.state_reason is not None
    assert waiting.state_reason["code"] == "waiting_for_device"
    assert waiting.version == 2
    assert still_waiting == waiting
    assert store.get(tenant, job_id).state_reason is None


def test_a_job_that_waits_for_a_plugin_names_it_until_a_worker_has_it(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities, rewind: Callable[..., None]
) -> None:
    store.register_worker(WorkerInfo("wrk_1", "node", cpu))
    gpu = Capabilities(frozenset({"cuda"}), plugins=frozenset({"acme"}))
    store.register_worker(WorkerInfo("wrk_2", "node", gpu))
    job_id = submit(device="cpu", plugins=["acme"]).id

    store.due_jobs()
    waiting = store.get(tenant, job_id).state_reason
    store.register_worker(WorkerInfo("wrk_1", "node", replace(cpu, plugins=frozenset({"acme", "zeta"}))))
    rewind("jobs", "publish_at")
    store.due_jobs()

    assert waiting is not None
    assert waiting["code"] == "waiting_for_plugin"
    assert waiting["details"] == {"plugins": ["acme"]}
    assert "acme" in waiting["message"]
    assert store.get(tenant, job_id).state_reason is None


def test_a_job_waits_for_its_device_before_it_waits_for_its_plugin(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities, rewind: Callable[..., None]
) -> None:
    store.register_worker(WorkerInfo("wrk_1", "node", cpu))
    job_id = submit(device="cuda", plugins=["acme"]).id

    store.due_jobs()
    first = store.get(tenant, job_id).state_reason
    store.register_worker(WorkerInfo("wrk_2", "node", Capabilities(frozenset({"cuda"}))))
    rewind("jobs", "publish_at")
    store.due_jobs()
    then = store.get(tenant, job_id).state_reason

    assert [reason and reason["code"] for reason in (first, then)] == ["waiting_for_device", "waiting_for_plugin"]


def test_a_lost_or_draining_worker_can_take_nothing(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities, rewind: Callable[..., None]
) -> None:
    store.register_worker(WorkerInfo("wrk_lost", "node", cpu))
    rewind("workers", "heartbeat_at")
    store.register_worker(WorkerInfo("wrk_draining", "node", cpu))
    store.beat_worker("wrk_draining", [], draining=True)
    job_id = submit().id

    store.due_jobs()

    reason = store.get(tenant, job_id).state_reason
    assert reason is not None
    assert reason["code"] == "waiting_for_device"


def test_a_job_that_saves_a_checkpoint_between_its_losses_never_fails(
    store: Store,
    tenant: str,
    submit: Callable[..., Job],
    cpu: Capabilities,
    pass_lease: Callable[[int], None],
    rewind: Callable[..., None],
) -> None:
    job_id = submit().id

    for step in range(10):
        run = store.claim("wrk_1", cpu)
        assert run is not None
        append(store, run.run_id, job_id, [NewRecord("checkpoint", {"step": step}, 1.0)])
        pass_lease(run.run_id)
        store.expire_leases(max_attempts=2)
        rewind("jobs", "claimable_at")

    job = store.get(tenant, job_id)
    assert job.state is JobState.QUEUED
    own = {"owner": job_id, "run_id": run.run_id, "key": job_id, "furthest_step": 9}
    assert job.checkpoint == {"step": 9, **own}


def test_a_job_that_always_begins_anew_fails_though_it_saves_checkpoints(
    store: Store,
    tenant: str,
    submit: Callable[..., Job],
    cpu: Capabilities,
    pass_lease: Callable[[int], None],
    rewind: Callable[..., None],
) -> None:
    job_id = submit().id
    states = []

    for _ in range(3):
        run = store.claim("wrk_1", cpu)
        assert run is not None
        append(store, run.run_id, job_id, [NewRecord("checkpoint", {"step": 50}, 1.0)])
        pass_lease(run.run_id)
        store.expire_leases(max_attempts=3)
        states.append(store.state(tenant, job_id))
        rewind("jobs", "claimable_at")

    assert states == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]


def test_a_second_loss_waits_before_it_is_tried_again(
    store: Store, submit: Callable[..., Job], cpu: Capabilities, pass_lease: Callable[[int], None]
) -> None:
    submit()
    for _ in range(2):
        run = store.claim("wrk_1", cpu)
        assert run is not None, "the first loss is tried again at once"
        pass_lease(run.run_id)
        store.expire_leases(max_attempts=5)

    assert store.claim("wrk_1", cpu) is None


def test_a_pausing_job_whose_worker_is_lost_is_paused(
    store: Store, tenant: str, running: Callable[..., ClaimedRun], pass_lease: Callable[[int], None]
) -> None:
    run = running()
    store.request_pause(tenant, run.jobs[0].id)
    pass_lease(run.run_id)

    store.expire_leases(max_attempts=1)

    job = store.get(tenant, run.jobs[0].id)
    assert (job.state, job.transitions[-1].reason) == (JobState.PAUSED, "paused_by_user")


def test_what_a_lost_run_used_until_its_last_heartbeat_counts(
    store: Store,
    tenant: str,
    running: Callable[..., ClaimedRun],
    pass_lease: Callable[[int], None],
    rewind: Callable[..., None],
) -> None:
    run = running()
    rewind("runs", "started_at", 100.0)
    rewind("runs", "heartbeat_at", 107.5)
    pass_lease(run.run_id)

    store.expire_leases()

    assert store.get(tenant, run.jobs[0].id).usage["device_s"] == 7.5


def test_jobs_of_one_pass_that_was_lost_share_what_it_used(
    store: Store,
    tenant: str,
    running_group: Callable[..., ClaimedRun],
    pass_lease: Callable[[int], None],
    rewind: Callable[..., None],
) -> None:
    group = running_group(3)
    rewind("runs", "started_at", 100.0)
    rewind("runs", "heartbeat_at", 107.5)
    pass_lease(group.run_id)

    store.expire_leases()

    assert [store.get(tenant, job.id).usage["device_s"] for job in group.jobs] == [2.5] * 3


def test_leases_of_many_runs_expire_in_one_call(
    store: Store, running: Callable[..., ClaimedRun], rewind: Callable[..., None]
) -> None:
    ids = [running().jobs[0].id for _ in range(120)]
    rewind("runs", "lease_until")

    assert store.expire_leases() == ids
    assert store.expire_leases() == []


def test_leases_expire_while_a_cancel_holds_jobs_of_the_same_runs(
    store: Store,
    tenant: str,
    running_group: Callable[..., ClaimedRun],
    cpu: Capabilities,
    database: Database,
    rewind: Callable[..., None],
    wait_until_blocked: Callable[[], None],
) -> None:
    # The group with the smaller ids is claimed again, so that its run has the larger id.
    first, second = running_group(2), running_group(2)
    store.settle(first.run_id, [Settlement(job_id=job.id, state=JobState.QUEUED) for job in first.jobs])
    again = store.claim("wrk_1", cpu)
    assert again is not None
    rewind("runs", "lease_until")
    in_order = [jobs.c.id.in_([job.id for job in group.jobs]) for group in (first, second)]

    with ThreadPoolExecutor(1) as pool:
        with database.write() as cancel:
            lock_jobs(cancel, in_order[0])
            expiry = pool.submit(store.expire_leases)
            wait_until_blocked()
            lock_jobs(cancel, in_order[1])
        freed = expiry.result()

    assert sorted(freed) == sorted(job.id for group in (first, second) for job in group.jobs)


def test_a_job_that_ends_without_a_worker_owes_its_files_until_they_are_paid(
    store: Store, tenant: str, running: Callable[..., ClaimedRun], pass_lease: Callable[[int], None]
) -> None:
    job_id = (run := running()).jobs[0].id
    pass_lease(run.run_id)
    store.expire_leases(max_attempts=1)
    files = [ArtifactRow("log.txt", 1, "a" * 64, "text/plain"), ArtifactRow("metrics.csv", 1, "b" * 64, "text/csv")]

    owing = store.owing_files()
    store.pay_files(job_id, files)
    store.pay_files(job_id, files)

    assert [(job.tenant, job.id) for job in owing] == [(tenant, job_id)]
    assert store.owing_files() == []
    assert store.artifacts(tenant, job_id) == files


def test_a_job_that_no_worker_ever_had_owes_nothing(store: Store, tenant: str, submit: Callable[..., Job]) -> None:
    store.request_cancel(tenant, submit().id)

    assert store.owing_files() == []


def test_the_leases_of_a_dead_worker_end_at_once_and_no_others(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities
) -> None:
    submit(), submit(), submit()
    claimed = [store.claim(worker_id, cpu) for worker_id in ("wrk_dead", "wrk_dead", "wrk_alive")]
    first, second, alive = (run.jobs[0].id for run in claimed if run is not None)

    store.end_leases("wrk_dead")
    store.end_leases("wrk_dead")

    assert sorted(store.expire_leases()) == sorted([first, second])
    assert store.state(tenant, alive) is JobState.STARTING
    assert store.get(tenant, first).transitions[-1].reason == "worker_lost"
