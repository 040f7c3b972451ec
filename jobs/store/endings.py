"""How runs end for their jobs: finished, back in the queue, or lost."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, insert, update

from jobs.clock import read_clock
from jobs.model import ArtifactRow, Json, Settlement
from jobs.states import TERMINAL, JobState, Reason, is_legal, make_reason
from jobs.store.base import Concern
from jobs.store.log import LockedJob, change_state
from jobs.store.runs import end_run_if_empty, lock_fenced
from jobs.store.submission import due_now
from jobs.tables import artifacts as artifact_table
from jobs.tables import jobs

_MAX_RETRY_DELAY_S = 60.0
_MAX_GROUP_LOSSES = 2


class Endings(Concern):
    """Ending runs."""

    def settle(self, run_id: int, ends: Sequence[Settlement]) -> dict[str, JobState]:
        """End a run for some of its jobs, in one transaction: store state, reason, result, usage and artifacts of each.

        Usage is added to that of earlier runs. A job that is given back takes the state that a user asked for, or fails
        if it was lost too often.

        Returns:
            The new state of each job.

        Raises:
            StaleRunError: The run is not the current one of one of them.
            IllegalTransitionError: A job may not take its new state.
        """
        with self._database.write() as connection:
            locked = lock_fenced(connection, run_id, [end.job_id for end in ends])
            at = read_clock(connection)
            others_go_on = len(ends) < len(locked)
            for end in ends:
                job = locked[end.job_id]
                if others_go_on:
                    job.checkpoint = _own_checkpoint(job, run_id, end)
                _settle(connection, job, end, at, self._options.max_attempts)
            end_run_if_empty(connection, run_id, at)
            return {end.job_id: locked[end.job_id].state for end in ends}


def _settle(connection: Connection, job: LockedJob, end: Settlement, at: float, max_attempts: int) -> None:
    values: Json = {"usage": sum_usage(job.usage, end.usage), "checkpoint": job.checkpoint}
    if end.alone:
        values |= {"alone": True, "group_id": None}
    elif end.leaves:
        values |= {"group_id": None}
    if end.state in TERMINAL:
        _finish(connection, job, end, at, **values)
    elif end.reason is not None and end.last_reason is not None:
        reasons = {"reason": end.reason, "last_reason": end.last_reason}
        lose_job(connection, job, at, max_attempts, **reasons, **values)
    else:
        return_job(connection, job, at, reason=end.reason, **values)
    if job.state in TERMINAL:
        add_artifacts(connection, job.id, end.artifacts)


def _own_checkpoint(job: LockedJob, run_id: int, end: Settlement) -> Json | None:
    """The checkpoint that a job keeps when it leaves its group, which deletes its own as it trains on."""
    if job.checkpoint is None or job.checkpoint["owner"] != job.group_id:
        return job.checkpoint
    return {**job.checkpoint, "owner": job.id, "run_id": run_id} if end.keeps_checkpoint else None


def _finish(connection: Connection, job: LockedJob, end: Settlement, at: float, **values: Any) -> None:
    reason = end.reason
    if end.state is JobState.CANCELLED:
        reason = reason or make_reason(Reason.CANCELLED_BY_USER)
        if not is_legal(job.state, end.state):  # no user asked: its sweep stopped it
            change_state(connection, job, JobState.CANCELLING, at=at, reason=reason)
    if end.state is JobState.SUCCEEDED:
        values["checkpoint"] = None  # a finished job is not claimed again
    change_state(connection, job, end.state, at=at, reason=reason, result=end.result, run_id=None, **values)


def return_job(
    connection: Connection, job: LockedJob, at: float, *, reason: Json | None, delay_s: float = 0, **values: Any
) -> None:
    """Take a locked job from its run: back to the queue, or to the state that a user asked for."""
    values |= {"run_id": None, "resume_requested": False}
    if job.state is JobState.CANCELLING:
        change_state(connection, job, JobState.CANCELLED, at=at, reason=make_reason(Reason.CANCELLED_BY_USER), **values)
    elif job.state is JobState.PAUSING and not job.resume_requested:
        change_state(connection, job, JobState.PAUSED, at=at, reason=make_reason(Reason.PAUSED_BY_USER), **values)
    else:
        if job.state is JobState.PAUSING:  # paused, and resumed before it had stopped
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
    """Take a locked job from a lost run; after ``max_attempts`` losses in a row without a checkpoint it fails."""
    num_lost = job.num_lost_attempts + 1
    if job.group_id is not None and num_lost >= min(_MAX_GROUP_LOSSES, max_attempts):
        # One member may be what kills the process: each continues alone, which finds it.
        details = {**reason["details"], "num_lost_attempts": num_lost}
        reason = make_reason(Reason.FUSION_LIMIT, f"{reason['message']} It goes on alone.", details=details)
        values |= {"alone": True, "group_id": None, "num_lost_attempts": 0}
        return_job(connection, job, at, reason=reason, **values)
        return
    details = {"attempt": job.attempt, "num_lost_attempts": num_lost, "max_attempts": max_attempts}
    values["num_lost_attempts"] = num_lost
    if num_lost >= max_attempts and job.state in (JobState.STARTING, JobState.RUNNING):
        last_reason = {**last_reason, "details": last_reason["details"] | details}
        change_state(connection, job, JobState.FAILED, at=at, reason=last_reason, run_id=None, **values)
        return
    reason = {**reason, "details": reason["details"] | details}
    return_job(connection, job, at, reason=reason, delay_s=_retry_delay_s(num_lost), **values)


def add_artifacts(connection: Connection, job_id: str, rows: Sequence[ArtifactRow]) -> None:
    """Store the files of a locked job, so that none are missing any more."""
    if rows:
        connection.execute(insert(artifact_table), [{"job_id": job_id, **asdict(row)} for row in rows])
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(owes_files=False))


def sum_usage(before: Mapping[str, Any], run: Mapping[str, Any]) -> Json:
    """A job's usage after one more run."""
    peaks = [usage["peak_memory_bytes"] for usage in (before, run) if usage.get("peak_memory_bytes") is not None]
    return {
        "device_s": round(before.get("device_s", 0.0) + run.get("device_s", 0.0), 3),
        "peak_memory_bytes": max(peaks, default=None),
    }


def _retry_delay_s(num_lost: int) -> float:
    """No delay after the first loss, which is seldom the job's fault; then 1 to 2 s, 2 to 4 s, … with jitter."""
    if num_lost < 2:
        return 0.0
    longest_s = min(2.0 ** (num_lost - 1), _MAX_RETRY_DELAY_S)
    return longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing
