from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event

from jobs.database import Database
from jobs.errors import IllegalTransitionError
from jobs.migrate import migrate
from jobs.model import Capabilities, ClaimedRun, Job, NewJob, NewRecord
from jobs.settings import Settings
from jobs.states import TRANSITIONS, JobState
from jobs.store import Store, open_store
from jobs.store.log import change_state, lock_jobs, state_body
from jobs.tables import jobs

PAIRS = [(before, after) for before in JobState for after in JobState]


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=lambda state: state.value)
def test_the_store_takes_legal_steps_and_refuses_all_others(
    embedded: tuple[Store, Database, Job],
    tenant: str,
    before: JobState,
    after: JobState,
) -> None:
    store, database, job = embedded
    with database.write() as connection:
        connection.execute(jobs.update().values(state=before.value))
    untouched = store.get(tenant, job.id)

    def step() -> None:
        with database.write() as connection:
            change_state(connection, lock_jobs(connection)[0], after, at=5.0)

    if after in TRANSITIONS[before]:
        step()
        changed = store.get(tenant, job.id)
        assert (changed.state, changed.version, changed.updated_at) == (after, 2, 5.0)
        assert changed.transitions[-1].state is after
    else:
        with pytest.raises(IllegalTransitionError):
            step()
        assert store.get(tenant, job.id) == untouched


@pytest.fixture
def embedded(settings: Settings, tenant: str, new_job: Callable[[], NewJob]) -> Iterator[tuple[Store, Database, Job]]:
    """A job on SQLite alone: the table of states does not depend on the database."""
    migrate(settings)
    store, database = open_store(settings), Database(settings.database_url)
    yield store, database, store.submit(tenant, new_job()).job
    store.close()
    database.close()


def test_the_body_of_a_state_record_has_the_reasons_code_and_message() -> None:
    reason = {"code": "diverged", "message": "NaN", "remedy": "…", "retryable": False, "details": {}}

    assert state_body(JobState.FAILED, 2, reason) == {
        "state": "failed",
        "reason": "diverged",
        "message": "NaN",
        "attempt": 2,
    }


def test_changes_of_many_jobs_take_as_many_statements_as_those_of_one(
    store: Store, running_group: Callable[..., ClaimedRun]
) -> None:
    statements: list[str] = []
    event.listen(store._database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    def append(num_jobs: int) -> int:
        group = running_group(num_jobs)
        new = [NewRecord("metrics", {}, 1.0, "step:1"), NewRecord("progress", {"fraction": 0.5}, 1.0, "1:1")]
        statements.clear()
        store.append_all(group.run_id, {job.id: new for job in group.jobs})
        return len(statements)

    assert append(1) == append(40) <= 8


def test_records_that_a_log_has_already_are_found_by_their_names(
    embedded: tuple[Store, Database, Job], cpu: Capabilities
) -> None:
    store, database, _ = embedded
    queries: list[tuple[str, Any]] = []
    event.listen(store._database.engine, "before_cursor_execute", lambda *args: queries.append(args[2:4]))
    run = store.claim("wrk_1", cpu)
    assert run is not None
    store.append_all(run.run_id, {job.id: [NewRecord("metrics", {}, 1.0, "step:1")] for job in run.jobs})

    ((query, parameters),) = [one for one in queries if "json_each" in one[0]]
    with database.read() as connection:
        plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", parameters)]

    (step,) = [one for one in plan if "records" in one]
    assert step.startswith("SEARCH")
    assert "(job_id=? AND kind=? AND key=?)" in step
