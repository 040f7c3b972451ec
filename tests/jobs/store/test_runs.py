from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from one_job import append, finish, ids_of, lose, requeue
from sqlalchemy import text

from jobs.database import Database
from jobs.errors import StaleRunError
from jobs.model import Capabilities, ClaimedRun, Job, NewRecord
from jobs.states import JobState, Reason, make_reason
from jobs.store import Store
from jobs.store.log import lock_jobs
from jobs.tables import jobs

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


def test_a_renewal_locks_jobs_in_the_order_in_which_a_cancel_does(
    store: Store, running_group: Callable[..., ClaimedRun], database: Database, wait_until_blocked: Callable[[], None]
) -> None:
    group = running_group(2)
    first, second = ids_of(group)
    # An update of both would meet the second job first, as it lies in the table.
    while not database.is_sqlite and _as_they_lie(database) == [first, second]:
        append(store, group.run_id, first, [NewRecord("log", {"message": "…"}, 1.0)])

    with ThreadPoolExecutor(1) as pool:
        with database.write() as cancel:
            lock_jobs(cancel, jobs.c.id == first)
            renewal = pool.submit(store.renew, group.run_id)
            wait_until_blocked()
            lock_jobs(cancel, jobs.c.id == second)
        renewed = renewal.result()

    assert renewed


def _as_they_lie(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(text("SELECT id FROM jobs ORDER BY ctid")).scalars())


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
