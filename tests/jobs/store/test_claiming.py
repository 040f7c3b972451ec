from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from one_job import finish, ids_of, saved
from sqlalchemy import event, text

from jobs.database import Database
from jobs.model import Capabilities, ClaimedRun, Job, NewJob, NewSweep, Settlement
from jobs.settings import Settings
from jobs.states import JobState
from jobs.store import Store, open_store
from jobs.store.submission import initial_job, insert_jobs


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


def test_a_low_priority_is_overtaken_for_a_while_and_not_for_ever(
    store: Store, database: Database, tenant: str, new_job: Callable[..., NewJob], cpu: Capabilities
) -> None:
    step_s = 100.0
    came = [
        ("low, the first", "low", 1_000.0),
        ("normal, a step later", "normal", 1_099.0),
        ("normal, more than a step later", "normal", 1_101.0),
        ("high, two steps later", "high", 1_199.0),
        ("high, more than two steps later", "high", 1_201.0),
        ("low, a moment later", "low", 1_000.5),
    ]
    with database.write() as connection:
        for name, priority, at in came:
            new = new_job(name, priority=priority)
            insert_jobs(connection, [(initial_job(tenant, new, at), new)], step_s)

    claimed = [run.jobs[0].name for run in (store.claim("wrk_1", cpu) for _ in came) if run]

    assert claimed == [
        "normal, a step later",
        "high, two steps later",
        "low, the first",
        "low, a moment later",
        "normal, more than a step later",
        "high, more than two steps later",
    ]


@pytest.mark.parametrize("step_s", [0, 3600])
def test_what_a_priority_is_worth_is_a_setting(
    migrated_settings: Settings, new_job: Callable[..., NewJob], step_s: float, cpu: Capabilities, tenant: str
) -> None:
    store = open_store(migrated_settings.model_copy(update={"priority_step_s": step_s}))
    for priority in ("low", "high"):
        store.submit(tenant, new_job(priority, priority=priority))
    place = {"variant": None, "values": {}, "seed": 0, "candidate": "0"}
    member = replace(new_job("member", priority="high"), sweep=place)
    store.submit_sweep(tenant, NewSweep(None, {}, {}, [member]))

    claimed = [run.jobs[0].name for run in (store.claim("wrk_1", cpu) for _ in range(3)) if run]

    store.close()
    assert claimed == (["high", "member", "low"] if step_s else ["low", "high", "member"])


def test_a_job_that_is_paused_or_lost_keeps_its_place(
    store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities, pass_lease: Callable[[int], None]
) -> None:
    first, lost, paused, last = [submit(priority="low").id for _ in range(4)]
    run = store.claim("wrk_1", cpu)
    assert run is not None
    store.settle(run.run_id, [Settlement(job_id=first, state=JobState.FAILED)])
    run = store.claim("wrk_1", cpu)
    assert run is not None
    store.request_pause(tenant, paused)
    pass_lease(run.run_id)
    store.expire_leases()
    store.resume(tenant, paused)

    claimed = [ids_of(store.claim("wrk_1", cpu)) for _ in range(3)]

    assert claimed == [[lost], [paused], [last]]


def test_of_jobs_made_at_once_the_lowest_turn_goes_first_and_lists_keep_the_order_of_their_making(
    store: Store, tenant: str, new_job: Callable[..., NewJob], cpu: Capabilities
) -> None:
    place = {"variant": None, "values": {}, "seed": 0}
    members = [replace(new_job(), turn=turn, sweep={**place, "candidate": str(turn)}) for turn in (2, 0, 1)]
    sweep = store.submit_sweep(tenant, NewSweep(None, {}, {}, members)).sweep

    claimed = [store.claim("wrk_1", cpu) for _ in range(3)]

    assert [(run.jobs[0].sweep or {})["candidate"] for run in claimed if run] == ["0", "1", "2"]
    assert [one.candidate for one in store.sweep_members(tenant, sweep.id, "x")] == ["2", "0", "1"]


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
    store.settle(group.run_id, [Settlement(job_id=first, state=JobState.QUEUED)])

    while_two_train = [store.waiting_job(cpu), *ids_of(store.claim("wrk_2", cpu))]
    store.settle(group.run_id, [Settlement(job_id=second, state=JobState.FAILED)])
    while_others_train = ids_of(store.claim("wrk_2", cpu))
    store.settle(group.run_id, [Settlement(job_id=job_id, state=JobState.QUEUED) for job_id in others])
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
                store.settle(group.run_id, [Settlement(job_id=job_id, state=JobState.QUEUED)])

        with ThreadPoolExecutor(5) as pool:
            drained = pool.submit(drain)
            claims = [pool.submit(store.claim, f"wrk_{n}", cpu) for n in range(40)]
            drained.result()
            runs = [claim.result() for claim in claims]
        runs.append(store.claim("wrk_last", cpu))

        assert [ids_of(run) for run in runs if run is not None] == [ids_of(group)]
        for run in runs:
            if run is not None:
                store.settle(run.run_id, [Settlement(job_id=job.id, state=JobState.FAILED) for job in run.jobs])


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
    store.settle(again.run_id, [Settlement(job_id=job.id, state=JobState.QUEUED) for job in again.jobs])
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
        store.settle(group.run_id, [Settlement(job_id=job_id, state=JobState.QUEUED) for job_id in ids_of(group)])

        with ThreadPoolExecutor(8) as pool:
            claims = list(pool.map(lambda number: store.claim(f"wrk_{number}", cpu), range(8)))

        runs = [run for run in claims if run is not None]
        assert [ids_of(run) for run in runs] == [ids_of(group)]
        for job_id in ids_of(group):
            finish(store, runs[0].run_id, job_id, JobState.FAILED)


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


def test_a_claim_of_a_long_queue_sorts_nothing(
    store: Store, database: Database, submit: Callable[..., Job], cpu: Capabilities
) -> None:
    for _ in range(300):
        submit()
    with database.write() as connection:
        connection.execute(text("ANALYZE"))
    queries: list[tuple[str, object]] = []
    event.listen(
        store._database.engine,
        "before_cursor_execute",
        lambda *args: queries.append((args[2], args[3])) if "ORDER BY" in args[2] else None,
    )

    store.claim("wrk_1", cpu)

    statement, parameters = queries[0]
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    with database.write() as connection:
        plan = "\n".join(str(row) for row in connection.exec_driver_sql(explain + statement, parameters))
    assert "ix_jobs_claim_order" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan


def test_a_cancelled_job_whose_group_goes_on_elsewhere_may_still_be_run_again_from_its_checkpoint(
    store: Store, tenant: str, running_group: Callable[..., ClaimedRun], cpu: Capabilities
) -> None:
    group = running_group(3)
    first, second, third = ids_of(group)
    store.append_all(group.run_id, {job_id: [saved(7)] for job_id in ids_of(group)})
    store.settle(group.run_id, [Settlement(job_id=job.id, state=JobState.QUEUED) for job in group.jobs])
    store.request_cancel(tenant, second)

    again = store.claim("wrk_2", cpu)

    assert again is not None
    assert ids_of(again) == [first, third]
    assert not again.is_whole, "its checkpoint lies with the group's"
