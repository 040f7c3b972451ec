from collections.abc import Callable

import pytest
from one_job import finish, ids_of, lose, lost, requeue, saved

from jobs.errors import IllegalTransitionError, StaleRunError
from jobs.model import ArtifactRow, Capabilities, ClaimedRun, Job, Settlement
from jobs.states import JobState, Reason, make_reason
from jobs.store import Store

ENOUGH_BYTES = 10**9


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


def test_each_job_of_a_run_ends_in_its_own_way_and_the_run_with_the_last(
    store: Store, tenant: str, running_group: Callable[..., ClaimedRun]
) -> None:
    group = running_group(4)
    done, broken, halved, left = ids_of(group)
    log = ArtifactRow("log.txt", 3, "a" * 64, "text/plain")

    states = store.settle(
        group.run_id,
        [
            Settlement(job_id=done, state=JobState.SUCCEEDED, result={"fused_with": 4}, artifacts=[log]),
            Settlement(
                job_id=broken, state=JobState.FAILED, reason=make_reason(Reason.DIVERGED), usage={"device_s": 2.0}
            ),
            Settlement(job_id=halved, state=JobState.CANCELLED, reason=make_reason(Reason.HALVED)),
        ],
    )

    assert states == {done: JobState.SUCCEEDED, broken: JobState.FAILED, halved: JobState.CANCELLED}
    assert store.artifacts(tenant, done) == [log]
    assert store.get(tenant, done).result == {"fused_with": 4}
    assert store.get(tenant, broken).usage["device_s"] == 2.0
    stopped = store.get(tenant, halved)
    assert [step.state for step in stopped.transitions[-2:]] == [JobState.CANCELLING, JobState.CANCELLED]
    assert (stopped.state_reason or {})["code"] == "halved"
    assert store.states(group.run_id) == {left: JobState.RUNNING}
    assert store.renew(group.run_id), "one still trains"
    finish(store, group.run_id, left, JobState.SUCCEEDED)
    assert not store.renew(group.run_id)


def test_ends_that_are_not_all_the_runs_own_are_refused_together(
    store: Store, tenant: str, submit: Callable[..., Job], running_group: Callable[..., ClaimedRun]
) -> None:
    group = running_group(2)
    stranger = submit("stranger").id

    with pytest.raises(StaleRunError):
        store.settle(
            group.run_id, [Settlement(job_id=job_id, state=JobState.FAILED) for job_id in (ids_of(group)[0], stranger)]
        )

    assert set(store.states(group.run_id).values()) == {JobState.RUNNING}


@pytest.mark.parametrize("how", ["lease", "runner"])
def test_a_group_that_is_lost_twice_is_parted_and_each_goes_on_alone(
    store: Store,
    tenant: str,
    running_group: Callable[..., ClaimedRun],
    cpu: Capabilities,
    pass_lease: Callable[[int], None],
    how: str,
) -> None:
    run: ClaimedRun | None = running_group(3)
    ids = ids_of(run)
    for _ in range(2):
        assert run is not None
        assert ids_of(run) == ids
        if how == "lease":
            pass_lease(run.run_id)
            store.expire_leases()
        else:
            store.settle(run.run_id, [lost(job) for job in run.jobs])
        parted = [store.get(tenant, job_id) for job_id in ids]
        run = store.claim("wrk_1", cpu)

    runs = [run, store.claim("wrk_1", cpu), store.claim("wrk_1", cpu)]
    assert [ids_of(one) for one in runs] == [[job_id] for job_id in ids]
    assert not any(store.has_companions(one.jobs[0].id) for one in runs if one is not None)
    reasons = [job.state_reason or {} for job in parted]
    assert [reason["code"] for reason in reasons] == ["fusion_limit"] * 3
    assert [reason["details"]["num_lost_attempts"] for reason in reasons] == [2, 2, 2]
    assert all("It goes on alone." in reason["message"] for reason in reasons)


def test_a_member_that_ends_every_runner_fails_alone_and_its_companions_do_not(
    store: Store,
    tenant: str,
    running_group: Callable[..., ClaimedRun],
    cpu: Capabilities,
    rewind: Callable[..., None],
) -> None:
    group = running_group(3)
    poison = ids_of(group)[1]
    run: ClaimedRun | None = group
    num_runs = 0

    while run is not None:
        num_runs += 1
        if poison in ids_of(run):
            store.settle(run.run_id, [lost(job) for job in run.jobs])
        else:
            store.start_all(run.run_id)
            store.settle(run.run_id, [Settlement(job_id=job_id, state=JobState.SUCCEEDED) for job_id in ids_of(run)])
        rewind("jobs", "claimable_at")
        run = store.claim("wrk_1", cpu)

    assert [store.state(tenant, job_id).value for job_id in ids_of(group)] == ["succeeded", "failed", "succeeded"]
    assert (store.get(tenant, poison).state_reason or {})["code"] == "poisoned"
    assert num_runs == 2 + 2 + 3, "twice together, then each alone: its companions once, and itself three times"


def test_who_is_sent_back_trains_alone_from_then_on(
    store: Store, tenant: str, submit: Callable[..., Job], running_group: Callable[..., ClaimedRun], cpu: Capabilities
) -> None:
    group = running_group(2)
    stays, goes = ids_of(group)
    reason = make_reason(Reason.FUSION_LIMIT, "The pass takes more than it may.")

    states = store.settle(group.run_id, [Settlement(job_id=goes, state=JobState.QUEUED, reason=reason, alone=True)])
    lead = submit(fusion_key="same", priority="high").id
    run = store.claim("wrk_2", cpu)
    assert run is not None
    joined = store.join(run.run_id, lead, cpu, 10, ENOUGH_BYTES)
    solo = store.claim("wrk_3", cpu)

    assert states == {goes: JobState.QUEUED}
    assert store.get(tenant, goes).transitions[-2].reason == "fusion_limit"
    assert ids_of(joined) == [lead]
    assert ids_of(solo) == [goes]
    assert store.states(group.run_id) == {stays: JobState.RUNNING}


@pytest.mark.parametrize(
    ("keeps", "together", "owner"), [(True, False, "job"), (False, False, None), (False, True, "grp")]
)
def test_who_ends_while_others_go_on_has_the_checkpoint_that_was_kept_for_it(
    store: Store,
    tenant: str,
    running_group: Callable[..., ClaimedRun],
    keeps: bool,
    together: bool,
    owner: str | None,
) -> None:
    run = running_group(2)
    ids = ids_of(run)
    store.append_all(run.run_id, {job_id: [saved(7)] for job_id in ids})
    reason = make_reason(Reason.WORKER_LOST)
    ends = [Settlement(job_id=job_id, state=JobState.FAILED, reason=reason, keeps_checkpoint=keeps) for job_id in ids]

    store.settle(run.run_id, ends if together else ends[:1])

    checkpoint = store.get(tenant, ids[0]).checkpoint
    assert (checkpoint and checkpoint["owner"]) == {"job": ids[0], "grp": run.group_id, None: None}[owner]
    other = store.get(tenant, ids[1]).checkpoint
    assert other is not None
    assert other["owner"] == run.group_id
