"""A job's log and its state: every change goes through here, under the lock of the job's row.

The lock makes records appear in the order of their numbers: after a reader has seen record n, no record before n is
committed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    func,
    insert,
    literal,
    literal_column,
    select,
    update,
)

from jobs.errors import IllegalTransitionError
from jobs.model import Json, NewRecord
from jobs.states import TERMINAL, JobState, is_legal
from jobs.tables import jobs, records

_Name = tuple[str, str, str]
"""The name of a record that is stored once: its job, kind and key."""


@dataclass(slots=True)
class LockedJob:
    """The part of a job that decisions need, read under its lock and updated with each change."""

    id: str
    tenant: str
    state: JobState
    attempt: int
    last_seq: int
    run_id: int | None
    num_lost_attempts: int
    resume_requested: bool
    group_id: str | None
    sweep_id: str | None
    checkpoint: Json | None
    started_at: float | None
    usage: Json


_LOCKED_COLUMNS = [
    jobs.c.id,
    jobs.c.tenant,
    jobs.c.state,
    jobs.c.attempt,
    jobs.c.last_seq,
    jobs.c.run_id,
    jobs.c.num_lost_attempts,
    jobs.c.resume_requested,
    jobs.c.group_id,
    jobs.c.sweep_id,
    jobs.c.checkpoint,
    jobs.c.started_at,
    jobs.c.usage,
]


def lock_jobs(
    connection: Connection,
    *conditions: ColumnElement[bool],
    order_by: Sequence[ColumnElement[Any]] = (jobs.c.id,),
    limit: int | None = None,
    skip_locked: bool = False,
) -> list[LockedJob]:
    """Lock the rows of the jobs that meet the conditions, until the transaction ends."""
    query = select(*_LOCKED_COLUMNS).where(*conditions).order_by(*order_by).limit(limit)
    rows = connection.execute(query.with_for_update(skip_locked=skip_locked)).all()
    return [
        LockedJob(
            id=row.id,
            tenant=row.tenant,
            state=JobState(row.state),
            attempt=row.attempt,
            last_seq=row.last_seq,
            run_id=row.run_id,
            num_lost_attempts=row.num_lost_attempts,
            resume_requested=row.resume_requested,
            group_id=row.group_id,
            sweep_id=row.sweep_id,
            checkpoint=row.checkpoint,
            started_at=row.started_at,
            usage=row.usage,
        )
        for row in rows
    ]


@dataclass(slots=True)
class Change:
    """Changes to write for a locked job: records for its log, and columns of its row."""

    job: LockedJob
    new_records: Sequence[NewRecord] = ()
    values: Json = field(default_factory=dict)


def change_state(
    connection: Connection,
    job: LockedJob,
    state: JobState,
    *,
    at: float,
    reason: Json | None = None,
    **values: Any,
) -> None:
    """Move a locked job to another state: its row and a ``state`` record together.

    Args:
        connection: The transaction that holds the job's lock.
        job: The locked job; it is updated.
        state: Where to.
        at: The database's time.
        reason: The new ``state_reason``.
        **values: Other columns to set.

    Raises:
        IllegalTransitionError: The table of states forbids it.
    """
    write_changes(connection, [to_state(job, state, at=at, reason=reason, **values)], at=at)


def to_state(job: LockedJob, state: JobState, *, at: float, reason: Json | None = None, **values: Any) -> Change:
    """Return the change that `change_state` writes, to be written with others; the locked job is updated.

    Raises:
        IllegalTransitionError: The table of states forbids it.
    """
    if not is_legal(job.state, state):
        raise IllegalTransitionError(job.id, job.state, state)
    if state in TERMINAL:
        values.setdefault("finished_at", at)
        # Every job that a worker had gets log and metrics: if none come with this change, the reconciler makes them.
        values.setdefault("owes_files", job.attempt > 0)
    job.state = state
    job.attempt = values.get("attempt", job.attempt)
    job.run_id = values.get("run_id", job.run_id)
    record = NewRecord(kind="state", body=state_body(state, job.attempt, reason), at=at)
    return Change(job, [record], {"state": state.value, "state_reason": reason, **values})


def state_body(state: JobState, attempt: int, reason: Json | None) -> Json:
    """Return the body of a ``state`` record: the reason's code and message. The job's row has the rest."""
    return {
        "state": state.value,
        "reason": reason["code"] if reason else None,
        "message": reason["message"] if reason else None,
        "attempt": attempt,
    }


def write_changes(connection: Connection, changes: Sequence[Change], *, at: float) -> None:
    """Write changes of locked jobs, in a few statements for any number of jobs.

    A record that a job's log has already is dropped; a job without changes is left as it is.

    Args:
        connection: The transaction that holds the jobs' locks.
        changes: At most one for each job; each job is updated.
        at: The database's time.
    """
    known = _known_names(connection, changes)
    rows: list[Json] = []
    updates: dict[tuple[str, ...], list[Json]] = {}
    for change in changes:
        job = change.job
        before = job.last_seq
        for record in _without_known(job.id, change.new_records, known):
            job.last_seq += 1
            columns = {"at": record.at, "kind": record.kind, "key": record.key, "body": record.body}
            rows.append({"job_id": job.id, "seq": job.last_seq, **columns})
        if job.last_seq > before or change.values:
            values = {"job": job.id, "last_seq": job.last_seq, "updated_at": at, **change.values}
            updates.setdefault(tuple(values), []).append(values)
    if rows:
        connection.execute(insert(records), rows)
    # The keys name the columns to set, so all rows of one statement have the same keys.
    statement = update(jobs).where(jobs.c.id == bindparam("job")).values(version=jobs.c.version + 1)
    for of_same_columns in updates.values():
        connection.execute(statement, of_same_columns)


def _known_names(connection: Connection, changes: Sequence[Change]) -> set[_Name]:
    """Return the names of new records that their jobs' logs have already."""
    names = [
        (change.job.id, new.kind, new.key) for change in changes for new in change.new_records if new.key is not None
    ]
    if not names:
        return set()
    # One JSON object as the parameter, because both databases have `json_each` for objects. With `IN` and a list of
    # rows, SQLite would read every record.
    wanted = func.json_each(literal(dict(enumerate(names)), JSON)).table_valued("value")
    columns = (records.c.job_id, records.c.kind, records.c.key)
    same = [column == wanted.c.value.op("->>")(literal_column(str(place))) for place, column in enumerate(columns)]
    return {(row.job_id, row.kind, row.key) for row in connection.execute(select(*columns).join(wanted, and_(*same)))}


def _without_known(job_id: str, new_records: Iterable[NewRecord], known: set[_Name]) -> Iterator[NewRecord]:
    """Yield the first record of each name, and add the name to the known ones; a record without a key is always new."""
    for record in new_records:
        if record.key is not None:
            name = (job_id, record.kind, record.key)
            if name in known:
                continue
            known.add(name)
        yield record
