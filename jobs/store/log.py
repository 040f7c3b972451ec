"""A job's log and its state: every change goes through here, under the lock of the job's row.

The lock is what makes sequence numbers appear in order: a reader that has seen record n never meets a later
commit of a record before n.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, select, update

from jobs.errors import IllegalTransitionError
from jobs.model import Json, NewRecord
from jobs.states import TERMINAL, JobState, is_legal
from jobs.tables import jobs, records

_NUM_KEYS_PER_QUERY = 500


@dataclass(slots=True)
class LockedJob:
    """What deciding about a job needs, read under its lock and kept up with the changes made since."""

    id: str
    tenant: str
    state: JobState
    attempt: int
    last_seq: int
    run_id: int | None
    num_lost_attempts: int
    resume_requested: bool
    group_id: str | None
    checkpoint: Json | None
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
    jobs.c.checkpoint,
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
            checkpoint=row.checkpoint,
            usage=row.usage,
        )
        for row in rows
    ]


def change_state(
    connection: Connection,
    job: LockedJob,
    state: JobState,
    *,
    at: float,
    reason: Json | None = None,
    **values: Any,
) -> None:
    """Take a locked job to another state: its row, and a ``state`` record, as one.

    Args:
        connection: The transaction that holds the job's lock.
        job: The locked job; brought up to date.
        state: Where to.
        at: The database's time.
        reason: The new ``state_reason``.
        **values: Other columns to set.

    Raises:
        IllegalTransitionError: The table of states forbids it.
    """
    if not is_legal(job.state, state):
        raise IllegalTransitionError(job.id, job.state, state)
    if state in TERMINAL:
        values.setdefault("finished_at", at)
        # Every job that a worker had has its log and metrics: whoever brings none here leaves it to the reconciler.
        values.setdefault("owes_files", job.attempt > 0)
    job.state = state
    job.attempt = values.get("attempt", job.attempt)
    job.run_id = values.get("run_id", job.run_id)
    record = NewRecord(kind="state", body=state_body(state, job.attempt, reason), at=at)
    add_records(connection, job, [record], at=at, state=state.value, state_reason=reason, **values)


def state_body(state: JobState, attempt: int, reason: Json | None) -> Json:
    """Return the body of a ``state`` record: the reason's code and message; the job has the rest."""
    return {
        "state": state.value,
        "reason": reason["code"] if reason else None,
        "message": reason["message"] if reason else None,
        "attempt": attempt,
    }


def add_records(
    connection: Connection, job: LockedJob, new_records: Iterable[NewRecord], *, at: float, **values: Any
) -> int:
    """Append records to a locked job's log, drop those that it has already, and set the job's columns.

    Returns:
        How many were appended.
    """
    fresh = _without_known(connection, job.id, new_records)
    rows = [
        {
            "job_id": job.id,
            "seq": seq,
            "at": record.at,
            "kind": record.kind,
            "key": record.key,
            "body": record.body,
        }
        for seq, record in enumerate(fresh, start=job.last_seq + 1)
    ]
    if not rows and not values:
        return 0
    if rows:
        connection.execute(insert(records), rows)
    job.last_seq += len(rows)
    changes = {"last_seq": job.last_seq, "version": jobs.c.version + 1, "updated_at": at, **values}
    connection.execute(update(jobs).where(jobs.c.id == job.id).values(changes))
    return len(rows)


def _without_known(connection: Connection, job_id: str, new_records: Iterable[NewRecord]) -> list[NewRecord]:
    """Keep the first record of each (kind, key); one without a key is always new."""
    candidates = list(new_records)
    wanted = [record.key for record in candidates if record.key is not None]
    known: set[tuple[str, str | None]] = set()
    for start in range(0, len(wanted), _NUM_KEYS_PER_QUERY):
        some = wanted[start : start + _NUM_KEYS_PER_QUERY]
        query = select(records.c.kind, records.c.key).where(records.c.job_id == job_id, records.c.key.in_(some))
        known.update((row.kind, row.key) for row in connection.execute(query))
    fresh = []
    for record in candidates:
        name = (record.kind, record.key)
        if record.key is None or name not in known:
            fresh.append(record)
            known.add(name)
    return fresh
