import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from one_job import ids_of, requeue
from sqlalchemy import text

from jobs.database import Database
from jobs.errors import StaleRunError
from jobs.model import Capabilities, ClaimedRun, Job
from jobs.states import JobState
from jobs.store import Store, joining
from jobs.store.joining import RUNNER_BYTES

MEMBER_BYTES = 1_000  # of the jobs that `submit` makes
ENOUGH_BYTES = 10**9


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


def test_a_join_whose_answer_was_lost_gives_it_again(
    store: Store, submit: Callable[..., Job], cpu: Capabilities
) -> None:
    lead = submit(fusion_key="same").id
    for _ in range(3):
        submit(fusion_key="same")
    run = store.claim("wrk_1", cpu)
    assert run is not None

    first = store.join(run.run_id, lead, cpu, 2, ENOUGH_BYTES)
    again = store.join(run.run_id, lead, cpu, 2, ENOUGH_BYTES)

    assert again == first
    assert len(again.jobs) == 3


@pytest.mark.parametrize(
    "other",
    [
        {"fusion_key": "other"},
        {"fusion_key": None},
        {"fusion_key": "same", "of": "tenant-b"},
        {"fusion_key": "same", "pool": "elsewhere"},
        {"fusion_key": "same", "device": "cuda"},
        {"fusion_key": "same", "plugins": ["acme"]},
        {"fusion_key": "same", "checkpoint": {"step": 5, "furthest_step": 5}},
    ],
    ids=[
        "another-key",
        "fusion-off",
        "another-tenant",
        "another-pool",
        "another-device",
        "lacking-plugin",
        "begun-already",
    ],
)
def test_what_does_not_fit_stays_in_the_queue(
    store: Store, submit: Callable[..., Job], cpu: Capabilities, other: dict[str, Any]
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


@pytest.mark.parametrize("kind_of_database", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_a_job_that_is_held_for_a_moment_comes_along_and_one_that_is_held_for_long_stays(
    store: Store, database: Database, submit: Callable[..., Job], cpu: Capabilities, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, briefly, long = (submit(fusion_key="same").id for _ in range(3))
    run = store.claim("wrk_1", cpu)
    assert run is not None
    are_held, looked, joined = threading.Barrier(3), threading.Event(), threading.Event()

    def hold(job_id: str, until: threading.Event) -> None:
        with database.write() as connection:
            connection.execute(text("SELECT id FROM jobs WHERE id = :id FOR UPDATE"), {"id": job_id})
            are_held.wait(30)
            until.wait(30)

    with ThreadPoolExecutor(2) as pool:
        brief_hold = pool.submit(hold, briefly, looked)
        pool.submit(hold, long, joined)
        are_held.wait(30)

        def let_go(_seconds: float) -> None:
            looked.set()
            brief_hold.result(30)

        monkeypatch.setattr(joining, "time", SimpleNamespace(sleep=let_go))
        group = store.join(run.run_id, lead, cpu, 2, ENOUGH_BYTES)
        joined.set()

    assert ids_of(group) == [lead, briefly]
    assert ids_of(store.claim("wrk_2", cpu)) == [long]
