"""Jobs that train in one pass: who comes along, what each writes, and what becomes of a group that is lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from one_job import append, finish, requeue
from sqlalchemy import text

from jobs.database import Database
from jobs.errors import StaleRunError
from jobs.model import ArtifactRow, Capabilities, ClaimedRun, Job, JobEnd, NewRecord
from jobs.states import JobState, Reason, make_reason
from jobs.store import Store
from jobs.store.joining import RUNNER_BYTES

MEMBER_BYTES = 1_000  # of the jobs that `submit` makes
ENOUGH_BYTES = 10**9
LOST = make_reason(Reason.WORKER_LOST, "The runner died.", details={"signal": "SIGKILL"})


def ids_of(run: ClaimedRun | None) -> list[str]:
    return [job.id for job in run.jobs] if run is not None else []


def saved(step: int, **more: object) -> NewRecord:
    return NewRecord("checkpoint", {"step": step, "name": f"step-{step}", **more}, 1.0)


def lost(job: Job) -> JobEnd:
    return JobEnd(job_id=job.id, state=JobState.QUEUED, reason=LOST, last_reason=make_reason(Reason.POISONED))


# Who comes along


def test_compatible_jobs_that_wait_come_along_the_most_urgent_first(
    store: Store, submit: Callable[..., Job], cpu: Capabilities
) -> None:
    first = submit("lead", fusion_key="same", priority="high").id
    low = submit(fusion_key="same", priority="low").id
    normal = submit(fusion_key="same").id
    high = submit(fusion_key="same", priority="high").id
    run = store.claim("wrk_1", cpu)
    assert run is not None

    has_companions = store.has_companions(first)
    group = store.join(run.run_id, first, cpu, 2, ENOUGH_BYTES)

    assert has_companions
    assert ids_of(group) == group.companions == [first, normal, high], "in the order in which they train"
    assert (group.run_id, group.is_whole) == (run.run_id, True)
    assert group.group_id is not None
    assert group.group_id.startswith("grp_")
    assert [(job.state, job.attempt) for job in group.jobs] == [(JobState.STARTING, 1)] * 3
    assert ids_of(store.claim("wrk_2", cpu)) == [low]


@pytest.mark.parametrize(
    "other",
    [
        {"fusion_key": "other"},
        {"fusion_key": None},
        {"fusion_key": "same", "of": "tenant-b"},
        {"fusion_key": "same", "pool": "elsewhere"},
        {"fusion_key": "same", "device": "cuda"},
        {"fusion_key": "same", "checkpoint": {"step": 5, "furthest_step": 5}},
    ],
    ids=["another-key", "fusion-off", "another-tenant", "another-pool", "another-device", "begun-already"],
)
def test_what_does_not_fit_stays_in_the_queue(
    store: Store, submit: Callable[..., Job], cpu: Capabilities, other: dict[str, str | None]
) -> None:
    lead = submit(fusion_key="same", priority="high").id
    stays = submit(**other)
    run = store.claim("wrk_1", cpu)
    assert run is not None

    group = store.join(run.run_id, lead, cpu, 10, ENOUGH_BYTES)

    assert (ids_of(group), group.group_id) == ([lead], None)
    assert store.state(stays.tenant, stays.id) is JobState.QUEUED


@pytest.mark.parametrize(
    "change",
    ["state = 'paused'", "alone = :yes", "num_lost_attempts = 1", "claimable_at = claimable_at + 100"],
)
def test_a_job_that_is_paused_alone_lost_or_delayed_does_not_come_along(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities, database: Database, change: str
) -> None:
    lead = submit(fusion_key="same", priority="high").id
    stays = submit(fusion_key="same").id
    with database.write() as connection:
        statement = text(f"UPDATE jobs SET {change} WHERE id = :id")
        connection.execute(statement, {"id": stays, **({"yes": True} if "yes" in change else {})})
    before = store.get(tenant, stays)
    run = store.claim("wrk_1", cpu)
    assert run is not None

    has_companions = store.has_companions(lead)
    group = store.join(run.run_id, lead, cpu, 10, ENOUGH_BYTES)

    assert not has_companions
    assert ids_of(group) == [lead]
    assert store.get(tenant, stays) == before


@pytest.mark.parametrize(
    "lead",
    [{"fusion_key": None}, {"fusion_key": "same", "checkpoint": {"step": 5, "furthest_step": 5}}],
    ids=["fusion-off", "begun-already"],
)
def test_a_job_that_trains_alone_takes_nobody_along(
    store: Store, submit: Callable[..., Job], cpu: Capabilities, lead: dict[str, str | None]
) -> None:
    lead_id = submit(priority="high", **lead).id
    submit(fusion_key=lead["fusion_key"])
    run = store.claim("wrk_1", cpu)
    assert run is not None

    has_companions = store.has_companions(lead_id)
    group = store.join(run.run_id, lead_id, cpu, 10, ENOUGH_BYTES)

    assert not has_companions
    assert ids_of(group) == [lead_id]
    assert store.fusion_key(lead_id) == (lead["fusion_key"] or "")


def test_no_more_come_along_than_fit_into_memory(store: Store, submit: Callable[..., Job], cpu: Capabilities) -> None:
    ids = [submit(fusion_key="same").id for _ in range(5)]
    run = store.claim("wrk_1", cpu)
    assert run is not None

    group = store.join(run.run_id, ids[0], cpu, 10, 3 * MEMBER_BYTES)

    assert ids_of(group) == ids[:3]


def test_whose_own_limit_is_too_low_stays_and_the_others_keep_to_theirs(
    store: Store, submit: Callable[..., Job], cpu: Capabilities
) -> None:
    lead = submit(fusion_key="same", max_memory_bytes=RUNNER_BYTES + 3 * MEMBER_BYTES).id
    modest = submit(fusion_key="same", max_memory_bytes=RUNNER_BYTES + MEMBER_BYTES).id
    others = [submit(fusion_key="same").id for _ in range(3)]
    run = store.claim("wrk_1", cpu)
    assert run is not None

    group = store.join(run.run_id, lead, cpu, 10, ENOUGH_BYTES)

    assert ids_of(group) == [lead, *others[:2]]
    assert ids_of(store.claim("wrk_2", cpu)) == [modest]


def test_a_lead_that_was_cancelled_meanwhile_takes_nobody_along(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities
) -> None:
    lead = submit(fusion_key="same").id
    other = submit(fusion_key="same").id
    run = store.claim("wrk_1", cpu)
    assert run is not None
    store.request_cancel(tenant, lead)

    group = store.join(run.run_id, lead, cpu, 10, ENOUGH_BYTES)

    assert ids_of(group) == [lead]
    assert store.state(tenant, other) is JobState.QUEUED


def test_a_run_that_is_no_longer_the_leads_takes_nobody_along(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities
) -> None:
    lead = submit(fusion_key="same").id
    other = submit(fusion_key="same").id
    run = store.claim("wrk_1", cpu)
    assert run is not None
    requeue(store, run.run_id, lead)

    with pytest.raises(StaleRunError):
        store.join(run.run_id, lead, cpu, 10, ENOUGH_BYTES)

    assert store.state(tenant, other) is JobState.QUEUED


def test_workers_that_gather_at_once_share_the_jobs_out(
    store: Store, submit: Callable[..., Job], cpu: Capabilities
) -> None:
    ids = [submit(fusion_key="same").id for _ in range(24)]

    def gather(number: int) -> ClaimedRun | None:
        run = store.claim(f"wrk_{number}", cpu)
        return None if run is None else store.join(run.run_id, run.jobs[0].id, cpu, 5, ENOUGH_BYTES)

    with ThreadPoolExecutor(8) as pool:
        groups = list(pool.map(gather, range(8)))

    taken = [job_id for group in groups for job_id in ids_of(group)]
    assert len(taken) == len(set(taken))
    left = 0
    while store.claim("wrk_9", cpu) is not None:
        left += 1
    assert len(taken) + left == len(ids), "none was taken twice, and none is lost"


# What each writes


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
    ends = [JobEnd(job_id=job_id, state=JobState.QUEUED, leaves=job_id == second) for job_id in ids_of(group)]
    store.settle(group.run_id, ends)
    runs = [store.claim("wrk_1", cpu) for _ in range(2)]

    checkpoint = store.get(tenant, second).checkpoint
    assert checkpoint is not None
    assert (checkpoint["owner"], checkpoint["key"], checkpoint["step"]) == (second, second, 7)
    assert [ids_of(run) for run in runs] == [[first, third], [second]]


def test_each_job_of_a_run_ends_in_its_own_way_and_the_run_with_the_last(
    store: Store, tenant: str, running_group: Callable[..., ClaimedRun]
) -> None:
    group = running_group(4)
    done, broken, halved, left = ids_of(group)
    log = ArtifactRow("log.txt", 3, "a" * 64, "text/plain")

    states = store.settle(
        group.run_id,
        [
            JobEnd(job_id=done, state=JobState.SUCCEEDED, result={"fused_with": 4}, artifacts=[log]),
            JobEnd(job_id=broken, state=JobState.FAILED, reason=make_reason(Reason.DIVERGED), usage={"device_s": 2.0}),
            JobEnd(job_id=halved, state=JobState.CANCELLED, reason=make_reason(Reason.HALVED)),
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
            group.run_id, [JobEnd(job_id=job_id, state=JobState.FAILED) for job_id in (ids_of(group)[0], stranger)]
        )

    assert set(store.states(group.run_id).values()) == {JobState.RUNNING}


# What becomes of a group that is lost


def test_a_lost_group_is_claimed_again_as_the_same_group(
    store: Store,
    submit: Callable[..., Job],
    running_group: Callable[..., ClaimedRun],
    cpu: Capabilities,
    pass_lease: Callable[[int], None],
) -> None:
    group = running_group(3)
    submit(fusion_key="same", priority="high")  # it was not of the group, and comes first
    store.append_all(group.run_id, {job_id: [saved(5)] for job_id in ids_of(group)})
    finish(store, group.run_id, ids_of(group)[1], JobState.SUCCEEDED)
    pass_lease(group.run_id)

    freed = store.expire_leases()
    urgent, again = store.claim("wrk_2", cpu), store.claim("wrk_2", cpu)

    left = [ids_of(group)[0], ids_of(group)[2]]
    assert freed == left
    assert urgent is not None
    assert not store.has_companions(urgent.jobs[0].id), "a group takes in nobody and lends nobody"
    assert again is not None
    assert (ids_of(again), again.group_id, again.companions) == (left, group.group_id, ids_of(group))
    assert again.is_whole
    assert [job.attempt for job in again.jobs] == [2, 2]


def test_a_group_of_which_a_run_still_has_jobs_waits_for_them_and_holds_up_nobody_else(
    store: Store, submit: Callable[..., Job], running_group: Callable[..., ClaimedRun], cpu: Capabilities
) -> None:
    group = running_group(4, priority="high")
    first, second, *others = ids_of(group)
    behind = [submit().id for _ in range(3)]
    store.settle(group.run_id, [JobEnd(job_id=first, state=JobState.QUEUED)])

    while_two_train = [store.waiting_job(cpu), *ids_of(store.claim("wrk_2", cpu))]
    store.settle(group.run_id, [JobEnd(job_id=second, state=JobState.FAILED)])
    while_others_train = ids_of(store.claim("wrk_2", cpu))
    store.settle(group.run_id, [JobEnd(job_id=job_id, state=JobState.QUEUED) for job_id in others])
    again = store.claim("wrk_2", cpu)

    assert while_two_train == [behind[0]] * 2
    assert while_others_train == [behind[1]]
    assert ids_of(again) == [first, *others]


def test_a_group_that_is_given_back_bit_by_bit_among_many_claims_stays_together(
    store: Store, running_group: Callable[..., ClaimedRun], cpu: Capabilities
) -> None:
    for _ in range(5):
        group = running_group(6)

        def drain(group: ClaimedRun = group) -> None:
            for job_id in ids_of(group):
                store.settle(group.run_id, [JobEnd(job_id=job_id, state=JobState.QUEUED)])

        with ThreadPoolExecutor(5) as pool:
            drained = pool.submit(drain)
            claims = [pool.submit(store.claim, f"wrk_{n}", cpu) for n in range(40)]
            drained.result()
            runs = [claim.result() for claim in claims]
        runs.append(store.claim("wrk_last", cpu))

        assert [ids_of(run) for run in runs if run is not None] == [ids_of(group)]
        for run in runs:
            if run is not None:
                store.settle(run.run_id, [JobEnd(job_id=job.id, state=JobState.FAILED) for job in run.jobs])


@pytest.mark.parametrize("has_checkpoint", [False, True])
def test_who_ended_before_a_pass_began_anew_was_not_of_it(
    store: Store,
    tenant: str,
    running_group: Callable[..., ClaimedRun],
    cpu: Capabilities,
    pass_lease: Callable[[int], None],
    has_checkpoint: bool,
) -> None:
    group = running_group(3)
    first, second, third = ids_of(group)
    if has_checkpoint:
        store.append_all(group.run_id, {job_id: [saved(5)] for job_id in ids_of(group)})
    pass_lease(group.run_id)
    store.expire_leases()
    store.request_cancel(tenant, second)

    again = store.claim("wrk_1", cpu)
    assert again is not None
    store.append_all(again.run_id, {job_id: [saved(7)] for job_id in ids_of(again)})
    store.settle(again.run_id, [JobEnd(job_id=job.id, state=JobState.QUEUED) for job in again.jobs])
    later = store.claim("wrk_1", cpu)

    assert later is not None
    assert ids_of(again) == ids_of(later) == [first, third]
    was_begun_with = [first, second, third] if has_checkpoint else [first, third]
    assert again.companions == later.companions == was_begun_with


def test_of_many_claims_at_once_one_takes_the_whole_group(
    store: Store, running_group: Callable[..., ClaimedRun], cpu: Capabilities
) -> None:
    for _ in range(5):
        group = running_group(6)
        store.settle(group.run_id, [JobEnd(job_id=job_id, state=JobState.QUEUED) for job_id in ids_of(group)])

        with ThreadPoolExecutor(8) as pool:
            claims = list(pool.map(lambda number: store.claim(f"wrk_{number}", cpu), range(8)))

        runs = [run for run in claims if run is not None]
        assert [ids_of(run) for run in runs] == [ids_of(group)]
        for job_id in ids_of(group):
            finish(store, runs[0].run_id, job_id, JobState.FAILED)


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
            store.settle(run.run_id, [JobEnd(job_id=job_id, state=JobState.SUCCEEDED) for job_id in ids_of(run)])
        rewind("jobs", "claimable_at")
        run = store.claim("wrk_1", cpu)

    assert [store.state(tenant, job_id).value for job_id in ids_of(group)] == ["succeeded", "failed", "succeeded"]
    assert (store.get(tenant, poison).state_reason or {})["code"] == "poisoned"
    assert num_runs == 2 + 2 + 3, "twice together, then each alone: its companions once, and itself three times"


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


def test_who_is_paused_when_its_group_goes_on_goes_on_alone(
    store: Store,
    tenant: str,
    running_group: Callable[..., ClaimedRun],
    cpu: Capabilities,
    pass_lease: Callable[[int], None],
) -> None:
    group = running_group(3)
    first, second, third = ids_of(group)
    store.append_all(group.run_id, {job_id: [saved(5)] for job_id in ids_of(group)})
    store.request_pause(tenant, second)
    pass_lease(group.run_id)
    store.expire_leases()

    without = store.claim("wrk_1", cpu)
    store.resume(tenant, second)
    alone = store.claim("wrk_2", cpu)

    assert without is not None
    assert ids_of(without) == [first, third]
    assert not without.is_whole, "the paused one needs the group's checkpoints"
    assert alone is not None
    assert (ids_of(alone), alone.group_id) == ([second], None)
    checkpoint = alone.jobs[0].checkpoint
    assert checkpoint is not None
    assert (checkpoint["owner"], checkpoint["key"]) == (group.group_id, second)


def test_who_is_sent_back_trains_alone_from_then_on(
    store: Store, tenant: str, submit: Callable[..., Job], running_group: Callable[..., ClaimedRun], cpu: Capabilities
) -> None:
    group = running_group(2)
    stays, goes = ids_of(group)
    reason = make_reason(Reason.FUSION_LIMIT, "The pass takes more than it may.")

    states = store.settle(group.run_id, [JobEnd(job_id=goes, state=JobState.QUEUED, reason=reason, alone=True)])
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


# Whose checkpoints are needed


def test_the_checkpoints_of_a_group_are_needed_until_its_last_job_has_ended(
    store: Store, running_group: Callable[..., ClaimedRun]
) -> None:
    group = running_group(2)
    first, second = ids_of(group)
    owners = [str(group.group_id), first, second, "job_unknown"]

    finish(store, group.run_id, first, JobState.SUCCEEDED)
    while_one_trains = (store.needed_owners(owners), store.succeeded_owners(owners))
    finish(store, group.run_id, second, JobState.SUCCEEDED)

    assert while_one_trains == ({group.group_id, second}, {first})
    assert store.needed_owners(owners) == set()
    assert store.succeeded_owners(owners) == {group.group_id, first, second}


def test_a_group_that_was_dissolved_has_succeeded_once_nobody_goes_on_from_it(
    store: Store, running_group: Callable[..., ClaimedRun], cpu: Capabilities
) -> None:
    group = running_group(2)
    owner = str(group.group_id)
    store.append_all(group.run_id, {job_id: [saved(5)] for job_id in ids_of(group)})
    store.settle(group.run_id, [JobEnd(job_id=job.id, state=JobState.QUEUED, alone=True) for job in group.jobs])
    first, second = store.claim("wrk_1", cpu), store.claim("wrk_1", cpu)
    assert first is not None
    assert second is not None
    for run in (first, second):
        store.start_all(run.run_id)

    finish(store, first.run_id, first.jobs[0].id, JobState.SUCCEEDED)
    while_one_trains = store.succeeded_owners([owner])
    finish(store, second.run_id, second.jobs[0].id, JobState.FAILED)
    while_one_may_be_rerun = store.succeeded_owners([owner])
    store.delete(second.jobs[0].tenant, second.jobs[0].id)

    assert while_one_trains == while_one_may_be_rerun == set()
    assert store.succeeded_owners([owner, "job_unknown"]) == {owner}


def test_a_group_with_a_failure_has_not_succeeded(store: Store, running_group: Callable[..., ClaimedRun]) -> None:
    group = running_group(2)
    first, second = ids_of(group)
    finish(store, group.run_id, first, JobState.SUCCEEDED)
    finish(store, group.run_id, second, JobState.FAILED)

    assert store.succeeded_owners([str(group.group_id), first, second]) == {first}
    assert store.needed_owners([str(group.group_id)]) == set()


def test_a_job_that_goes_on_from_anothers_checkpoint_needs_it(
    store: Store, submit: Callable[..., Job], running_group: Callable[..., ClaimedRun]
) -> None:
    group = running_group(2)
    store.append_all(group.run_id, {job_id: [saved(5)] for job_id in ids_of(group)})
    store.settle(group.run_id, [JobEnd(job_id=job.id, state=JobState.FAILED) for job in group.jobs])
    own = {"owner": group.group_id, "key": ids_of(group)[0], "run_id": group.run_id, "step": 5, "furthest_step": 5}

    rerun = submit(checkpoint={**own, "name": "step-5"}).id

    assert store.needed_owners([str(group.group_id)]) == {group.group_id}
    store.request_cancel("tenant-a", rerun)
    assert store.needed_owners([str(group.group_id)]) == set()
