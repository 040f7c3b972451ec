"""Runs: claiming jobs, and what a run writes. Its id is the fence: any but the current run is refused."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from jobs.clock import read_clock
from jobs.errors import StaleRunError
from jobs.model import ArtifactRow, Capabilities, ClaimedRun, Json, NewRecord, Renewal
from jobs.states import JobState, Reason, make_reason
from jobs.store.base import Concern
from jobs.store.log import LockedJob, add_records, change_state, lock_jobs
from jobs.store.reading import read_job
from jobs.tables import artifacts as artifact_table
from jobs.tables import jobs, runs

_CLAIM_ORDER = (jobs.c.priority.desc(), jobs.c.created_at, jobs.c.id)


class Runs(Concern):
    """Claiming, renewing, and writing as a run."""

    def claim(self, worker_id: str, capabilities: Capabilities) -> ClaimedRun | None:
        """Take the best queued job that the worker can run, highest priority first, then oldest; or None.

        The job goes to ``starting``, with a new attempt, run and lease.
        """
        with self._database.write() as connection:
            at = read_clock(connection)
            claimable = (jobs.c.state == JobState.QUEUED.value, jobs.c.claimable_at <= at)
            found = lock_jobs(
                connection,
                *claimable,
                _can_run(capabilities),
                order_by=_CLAIM_ORDER,
                limit=1,
                skip_locked=True,
            )
            if not found:
                return None
            run_id = _new_run(connection, worker_id, at, at + self._options.lease_s)
            for job in found:
                values: Json = {"run_id": run_id, "attempt": job.attempt + 1, "heartbeat_at": at}
                change_state(connection, job, JobState.STARTING, at=at, **values)
            return ClaimedRun(run_id, [read_job(connection, job.tenant, job.id) for job in found])

    def renew(self, run_id: int, lease_s: float | None = None) -> Renewal:
        """Extend a run's lease from now, note the heartbeat, and learn which jobs must stop.

        A heartbeat does not change a job's version.
        """
        with self._database.write() as connection:
            if not _lock_run(connection, run_id):
                return Renewal(valid=False)
            at = read_clock(connection)
            until = at + (self._options.lease_s if lease_s is None else lease_s)
            connection.execute(update(runs).where(runs.c.id == run_id).values(heartbeat_at=at, lease_until=until))
            connection.execute(update(jobs).where(jobs.c.run_id == run_id).values(heartbeat_at=at))
            stopping = select(jobs.c.id).where(jobs.c.run_id == run_id, jobs.c.state == JobState.CANCELLING.value)
            return Renewal(valid=True, cancelling=frozenset(connection.execute(stopping).scalars()))

    def start(self, run_id: int, job_id: str) -> bool:
        """Note that a claimed job now trains; False where it was cancelled in the meantime.

        Raises:
            StaleRunError: The run is not the job's current one.
        """
        with self._database.write() as connection:
            job = _fenced(connection, run_id, job_id)
            if job.state is JobState.STARTING:
                at = read_clock(connection)
                query = select(jobs.c.started_at).where(jobs.c.id == job_id)
                started_at = connection.execute(query).scalar_one()
                first = at if started_at is None else started_at
                change_state(connection, job, JobState.RUNNING, at=at, started_at=first)
            return job.state is JobState.RUNNING

    def append(self, run_id: int, job_id: str, new_records: Sequence[NewRecord]) -> int:
        """Append records to a job's log; the last ``progress`` among them becomes the job's.

        Returns:
            How many were new: one whose kind and key the log has already is dropped.

        Raises:
            StaleRunError: The run is not the job's current one.
        """
        with self._database.write() as connection:
            job = _fenced(connection, run_id, job_id)
            at = read_clock(connection)
            latest = [record.body for record in new_records if record.kind == "progress"][-1:]
            values = {"progress": latest[0]} if latest else {}
            return add_records(connection, job, new_records, at=at, **values)

    def finish(
        self,
        run_id: int,
        job_id: str,
        state: JobState,
        reason: Json | None = None,
        result: Json | None = None,
        usage: Mapping[str, Any] | None = None,
        artifacts: Sequence[ArtifactRow] = (),
    ) -> None:
        """End a job: state, reason, result, usage and artifacts, in one transaction.

        Args:
            run_id: The fence.
            job_id: The job.
            state: ``succeeded``, ``failed`` or ``cancelled``.
            reason: The ``state_reason``; a cancelled job's says so by itself.
            result: The job's result, if it has one.
            usage: What this run used; added to what earlier ones did.
            artifacts: The artifacts, whose files are stored already.

        Raises:
            StaleRunError: The run is not the job's current one.
            IllegalTransitionError: The job cannot go to that state.
        """
        with self._database.write() as connection:
            job = _fenced(connection, run_id, job_id)
            at = read_clock(connection)
            if state is JobState.CANCELLED and reason is None:
                reason = make_reason(Reason.CANCELLED_BY_USER)
            values = {"result": result, "usage": _sum_usage(job.usage, usage or {}), "run_id": None}
            change_state(connection, job, state, at=at, reason=reason, **values)
            rows = [{"job_id": job_id, **_artifact_values(row)} for row in artifacts]
            if rows:
                connection.execute(insert(artifact_table), rows)
            end_run_if_empty(connection, run_id, at)

    def requeue(
        self,
        run_id: int,
        job_id: str,
        reason: Json | None = None,
        delay_s: float = 0,
        usage: Mapping[str, Any] | None = None,
    ) -> JobState:
        """Give a job back to the queue, as a draining worker does; it does not count as a lost attempt.

        Returns:
            The job's new state: ``queued``, or ``cancelled`` where a cancel was pending.

        Raises:
            StaleRunError: The run is not the job's current one.
        """
        with self._database.write() as connection:
            job = _fenced(connection, run_id, job_id)
            at = read_clock(connection)
            return_job(connection, job, at, reason=reason, delay_s=delay_s, usage=_sum_usage(job.usage, usage or {}))
            end_run_if_empty(connection, run_id, at)
            return job.state


def return_job(
    connection: Connection,
    job: LockedJob,
    at: float,
    *,
    reason: Json | None,
    delay_s: float = 0,
    **values: Any,
) -> None:
    """Take a locked job from its run: back to the queue, or to ``cancelled`` where a cancel was pending."""
    if job.state is JobState.CANCELLING:
        cancelled = make_reason(Reason.CANCELLED_BY_USER)
        change_state(connection, job, JobState.CANCELLED, at=at, reason=cancelled, run_id=None, **values)
        return
    due = {"claimable_at": at + delay_s, "publish_at": at + delay_s, "num_publishes": 0}
    change_state(connection, job, JobState.QUEUED, at=at, reason=reason, run_id=None, **due, **values)


def end_run_if_empty(connection: Connection, run_id: int, at: float) -> None:
    """Note that a locked run has ended once no job points at it."""
    if connection.execute(select(jobs.c.id).where(jobs.c.run_id == run_id).limit(1)).first() is None:
        connection.execute(update(runs).where(runs.c.id == run_id).values(ended_at=at))


def _can_run(capabilities: Capabilities) -> ColumnElement[bool]:
    """`Capabilities.can_take` in SQL."""
    device = jobs.c.device.in_(["auto", *sorted(capabilities.devices)])
    any_pool = jobs.c.pool.is_(None)
    return device & (any_pool if capabilities.pool is None else or_(any_pool, jobs.c.pool == capabilities.pool))


def _new_run(connection: Connection, worker_id: str, at: float, lease_until: float) -> int:
    values = {"worker_id": worker_id, "started_at": at, "heartbeat_at": at, "lease_until": lease_until}
    return int(connection.execute(insert(runs).values(values).returning(runs.c.id)).scalar_one())


def _lock_run(connection: Connection, run_id: int) -> bool:
    """Lock a run's row; False where the run has ended. Always before the rows of its jobs: no deadlock."""
    query = select(runs.c.id).where(runs.c.id == run_id, runs.c.ended_at.is_(None)).with_for_update()
    return connection.execute(query).first() is not None


def _fenced(connection: Connection, run_id: int, job_id: str) -> LockedJob:
    """Lock a run and one of its jobs, or refuse."""
    if _lock_run(connection, run_id):
        found = lock_jobs(connection, jobs.c.id == job_id, jobs.c.run_id == run_id)
        if found:
            return found[0]
    raise StaleRunError(run_id, job_id)


def _sum_usage(before: Mapping[str, Any], run: Mapping[str, Any]) -> Json:
    peaks = [usage["peak_memory_bytes"] for usage in (before, run) if usage.get("peak_memory_bytes") is not None]
    return {
        "device_s": before.get("device_s", 0.0) + run.get("device_s", 0.0),
        "peak_memory_bytes": max(peaks, default=None),
    }


def _artifact_values(row: ArtifactRow) -> Json:
    return {
        "name": row.name,
        "size_bytes": row.size_bytes,
        "sha256": row.sha256,
        "media_type": row.media_type,
    }
