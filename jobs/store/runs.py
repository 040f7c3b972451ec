"""Runs: claiming jobs, and what a run writes. Its id is the fence: any but the current run is refused."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from jobs.clock import read_clock
from jobs.errors import StaleRunError
from jobs.model import ArtifactRow, Capabilities, ClaimedRun, Json, NewRecord
from jobs.states import TERMINAL, JobState, Reason, make_reason
from jobs.store.base import Concern
from jobs.store.log import LockedJob, add_records, change_state, lock_jobs
from jobs.store.reading import read_job
from jobs.store.submission import due_now
from jobs.tables import artifacts as artifact_table
from jobs.tables import jobs, runs

_MAX_RETRY_DELAY_S = 60.0
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

    def waiting_job(self, capabilities: Capabilities) -> str | None:
        """Return the job that `claim` would take now, without taking it."""
        query = select(jobs.c.id).where(jobs.c.state == JobState.QUEUED.value, _can_run(capabilities))
        with self._database.read() as connection:
            due = query.where(jobs.c.claimable_at <= read_clock(connection)).order_by(*_CLAIM_ORDER).limit(1)
            found: str | None = connection.execute(due).scalar_one_or_none()
        return found

    def renew(self, run_id: int, lease_s: float | None = None) -> bool:
        """Extend a run's lease from now and note the heartbeat; False where the run has ended.

        A heartbeat does not change a job's version.
        """
        with self._database.write() as connection:
            if not _lock_run(connection, run_id):
                return False
            at = read_clock(connection)
            until = at + (self._options.lease_s if lease_s is None else lease_s)
            connection.execute(update(runs).where(runs.c.id == run_id).values(heartbeat_at=at, lease_until=until))
            connection.execute(update(jobs).where(jobs.c.run_id == run_id).values(heartbeat_at=at))
            return True

    def start(self, run_id: int, job_id: str) -> bool:
        """Note that a claimed job now trains; False where it was cancelled or paused in the meantime.

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
        """Append records to a job's log; the last ``progress`` and ``checkpoint`` among them become the job's.

        A checkpoint is worth something only with all records before it, so it must come after them, here or in an
        earlier call. Where it is further than any before, the job gets on: its lost attempts are forgiven.

        Returns:
            How many were new: one whose kind and key the log has already is dropped.

        Raises:
            StaleRunError: The run is not the job's current one.
        """
        with self._database.write() as connection:
            job = _fenced(connection, run_id, job_id)
            at = read_clock(connection)
            latest = {record.kind: record.body for record in new_records}
            values: Json = {}
            if "progress" in latest:
                values["progress"] = latest["progress"]
            if "checkpoint" in latest:
                furthest = -1 if job.checkpoint is None else job.checkpoint["furthest_step"]
                step = latest["checkpoint"]["step"]
                own = {"run_id": run_id, "furthest_step": max(furthest, step)}
                values["checkpoint"] = {**latest["checkpoint"], **own}
                if step > furthest:
                    values["num_lost_attempts"] = 0
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
            values = {"result": result, "usage": sum_usage(job.usage, usage or {}), "run_id": None}
            change_state(connection, job, state, at=at, reason=reason, **values)
            add_artifacts(connection, job_id, artifacts)
            end_run_if_empty(connection, run_id, at)

    def requeue(
        self, run_id: int, job_id: str, reason: Json | None = None, usage: Mapping[str, Any] | None = None
    ) -> JobState:
        """Give a job back, as a run that was paused or whose worker shuts down does; not a lost attempt.

        Returns:
            The job's new state: ``queued``; or ``paused`` or ``cancelled`` where that was asked for.

        Raises:
            StaleRunError: The run is not the job's current one.
        """
        with self._database.write() as connection:
            job = _fenced(connection, run_id, job_id)
            at = read_clock(connection)
            return_job(connection, job, at, reason=reason, usage=sum_usage(job.usage, usage or {}))
            end_run_if_empty(connection, run_id, at)
            return job.state

    def lose(
        self,
        run_id: int,
        job_id: str,
        reason: Json,
        last_reason: Json,
        usage: Mapping[str, Any] | None = None,
        artifacts: Sequence[ArtifactRow] = (),
    ) -> JobState:
        """Note that a run's process was lost: back to the queue, as `requeue`, or failed after too many in a row.

        Args:
            run_id: The fence.
            job_id: The job.
            reason: Why it is back in the queue.
            last_reason: Why it failed, where it does.
            usage: What this run used.
            artifacts: Kept where it fails.

        Raises:
            StaleRunError: The run is not the job's current one.
        """
        with self._database.write() as connection:
            job = _fenced(connection, run_id, job_id)
            at = read_clock(connection)
            values = {"usage": sum_usage(job.usage, usage or {})}
            lose_job(connection, job, at, self._options.max_attempts, reason=reason, last_reason=last_reason, **values)
            if job.state in TERMINAL:
                add_artifacts(connection, job_id, artifacts)
            end_run_if_empty(connection, run_id, at)
            return job.state


def return_job(
    connection: Connection, job: LockedJob, at: float, *, reason: Json | None, delay_s: float = 0, **values: Any
) -> None:
    """Take a locked job from its run: back to the queue, or to where a user asked it to go."""
    values |= {"run_id": None, "resume_requested": False}
    if job.state is JobState.CANCELLING:
        change_state(connection, job, JobState.CANCELLED, at=at, reason=make_reason(Reason.CANCELLED_BY_USER), **values)
    elif job.state is JobState.PAUSING and not job.resume_requested:
        change_state(connection, job, JobState.PAUSED, at=at, reason=make_reason(Reason.PAUSED_BY_USER), **values)
    else:
        if job.state is JobState.PAUSING:  # and resumed before it had stopped
            reason = None
        change_state(connection, job, JobState.QUEUED, at=at, reason=reason, **due_now(at, delay_s), **values)


def lose_job(
    connection: Connection,
    job: LockedJob,
    at: float,
    max_attempts: int,
    *,
    reason: Json,
    last_reason: Json,
    **values: Any,
) -> None:
    """Take a locked job from a run that was lost; after ``max_attempts`` in a row without a checkpoint it fails."""
    num_lost = job.num_lost_attempts + 1
    details = {"attempt": job.attempt, "num_lost_attempts": num_lost, "max_attempts": max_attempts}
    values["num_lost_attempts"] = num_lost
    if num_lost >= max_attempts and job.state in (JobState.STARTING, JobState.RUNNING):
        last_reason = {**last_reason, "details": last_reason["details"] | details}
        change_state(connection, job, JobState.FAILED, at=at, reason=last_reason, run_id=None, **values)
        return
    reason = {**reason, "details": reason["details"] | details}
    return_job(connection, job, at, reason=reason, delay_s=_retry_delay_s(num_lost), **values)


def add_artifacts(connection: Connection, job_id: str, rows: Sequence[ArtifactRow]) -> None:
    """Note the files of a locked job, which then owes none."""
    if rows:
        connection.execute(insert(artifact_table), [{"job_id": job_id, **asdict(row)} for row in rows])
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(owes_files=False))


def sum_usage(before: Mapping[str, Any], run: Mapping[str, Any]) -> Json:
    """What a job has used with one more run."""
    peaks = [usage["peak_memory_bytes"] for usage in (before, run) if usage.get("peak_memory_bytes") is not None]
    return {
        "device_s": round(before.get("device_s", 0.0) + run.get("device_s", 0.0), 3),
        "peak_memory_bytes": max(peaks, default=None),
    }


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


def _retry_delay_s(num_lost: int) -> float:
    """Nothing after the first loss, for that is seldom the job's fault; then 1 to 2 s, 2 to 4 s, … with jitter."""
    if num_lost < 2:
        return 0.0
    longest_s = min(2.0 ** (num_lost - 1), _MAX_RETRY_DELAY_S)
    return longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing
