"""What a user does to a job: cancel, pause, resume and delete."""

from collections.abc import Callable, Collection

from sqlalchemy import Connection, delete, select, update

from jobs.clock import read_clock
from jobs.errors import IllegalActionError, VersionChangedError
from jobs.model import IdempotencyKey, Job
from jobs.states import TERMINAL, JobState, Reason, is_legal, make_reason
from jobs.store.base import Concern
from jobs.store.log import LockedJob, change_state, lock_jobs
from jobs.store.needs import refuse_while_needed
from jobs.store.reading import no_such_job, read_job
from jobs.store.rows import is_job, job_from_json, job_to_json
from jobs.store.submission import claim_key, due_now, kept_answer
from jobs.tables import artifacts, jobs

Action = Callable[[Connection, LockedJob, float], None]
Versions = Collection[int] | None


class Actions(Concern):
    """Cancelling, pausing, resuming and deleting.

    Each takes the versions of the job that the caller would change: any if None.
    """

    def request_cancel(
        self, tenant: str, job_id: str, key: IdempotencyKey | None = None, versions: Versions = None
    ) -> Job:
        """Cancel a job: at once if it has no run, else as soon as its run has seen the request.

        Asking again is harmless.

        Raises:
            JobNotFoundError: There is none, or it is another tenant's.
            IllegalActionError: It has already succeeded or failed.
            IdempotencyMismatchError: The key was used for another body.
            VersionChangedError: It has none of these versions. A repeated request gets the first answer nevertheless.
        """
        return self._act(tenant, job_id, key, versions, cancel_job)

    def request_pause(
        self, tenant: str, job_id: str, key: IdempotencyKey | None = None, versions: Versions = None
    ) -> Job:
        """Pause a job: at once if it has no run, else as soon as its run has saved a checkpoint.

        Asking again is harmless. Raises as `request_cancel` does, and for a job that is being cancelled.
        """
        return self._act(tenant, job_id, key, versions, _pause)

    def resume(self, tenant: str, job_id: str, key: IdempotencyKey | None = None, versions: Versions = None) -> Job:
        """Put a paused job back into the queue; a job that is still pausing goes there once its run has stopped.

        Does nothing to a job that is not paused. Raises as `request_pause` does.
        """
        return self._act(tenant, job_id, key, versions, _resume)

    def delete(self, tenant: str, job_id: str, versions: Versions = None) -> list[str]:
        """Delete a job that has ended, with its log and artifacts.

        Returns:
            The hashes of its artifacts that no other job has: their files may be deleted.

        Raises:
            JobNotFoundError: There is none, or it is another tenant's.
            IllegalActionError: It has not ended, an unfinished job needs it, or it belongs to a sweep, whose state
                follows from all its members.
            VersionChangedError: It has none of these versions.
        """
        with self._database.write() as connection:
            job = _lock_owned(connection, tenant, job_id, versions)
            if job.sweep_id is not None:
                raise IllegalActionError("delete", f"a member of {job.sweep_id}", "Delete the sweep.")
            if job.state not in TERMINAL:
                raise IllegalActionError("delete", job.state, "Cancel it first, and wait until it has ended.")
            refuse_while_needed(connection, [job_id], "job")
            had = set(connection.execute(select(artifacts.c.sha256).where(artifacts.c.job_id == job_id)).scalars())
            connection.execute(delete(jobs).where(jobs.c.id == job_id))
            kept = set(connection.execute(select(artifacts.c.sha256).where(artifacts.c.sha256.in_(had))).scalars())
        return sorted(had - kept)

    def _act(self, tenant: str, job_id: str, key: IdempotencyKey | None, versions: Versions, action: Action) -> Job:
        with self._database.write() as connection:
            at = read_clock(connection)
            ttl_s = self._options.idempotency_ttl_s
            # Before the job is read: a repeated request gets the first answer, whatever the job's state is now.
            answer = kept_answer(connection, tenant, key, at - ttl_s) if key else None
            if answer is not None:
                return job_from_json(answer)
            action(connection, _lock_owned(connection, tenant, job_id, versions), at)
            current = read_job(connection, tenant, job_id)
            answer = claim_key(connection, tenant, key, job_to_json(current), at, ttl_s)
            return current if answer is None else job_from_json(answer)


def _lock_owned(connection: Connection, tenant: str, job_id: str, versions: Versions) -> LockedJob:
    found = lock_jobs(connection, is_job(job_id, tenant))
    if not found:
        raise no_such_job(connection, tenant, job_id)
    if versions is not None:
        version = connection.execute(select(jobs.c.version).where(jobs.c.id == job_id)).scalar_one()
        if version not in versions:
            raise VersionChangedError(job_id)
    return found[0]


def cancel_job(connection: Connection, job: LockedJob, at: float) -> None:
    """Cancel a locked job: at once if it has no run.

    Raises:
        IllegalActionError: It has already succeeded or failed.
    """
    if job.state in (JobState.CANCELLING, JobState.CANCELLED):
        return
    if not _go(connection, job, at, Reason.CANCELLED_BY_USER, JobState.CANCELLED, JobState.CANCELLING):
        raise IllegalActionError("cancel", job.state, "It has ended already.")


def _pause(connection: Connection, job: LockedJob, at: float) -> None:
    if job.state in (JobState.PAUSING, JobState.PAUSED):
        _request_resume(connection, job, wanted=False)
    elif not _go(connection, job, at, Reason.PAUSED_BY_USER, JobState.PAUSED, JobState.PAUSING):
        remedy = "It is about to end." if job.state is JobState.CANCELLING else "It has ended already."
        raise IllegalActionError("pause", job.state, remedy)


def _go(connection: Connection, job: LockedJob, at: float, why: Reason, *states: JobState) -> bool:
    """Move a job to the first of these states that is legal; False if none is."""
    for state in states:
        if is_legal(job.state, state):
            change_state(connection, job, state, at=at, reason=make_reason(why))
            return True
    return False


def _resume(connection: Connection, job: LockedJob, at: float) -> None:
    if job.state is JobState.PAUSED:
        change_state(connection, job, JobState.QUEUED, at=at, **due_now(at))
    elif job.state is JobState.PAUSING:
        _request_resume(connection, job, wanted=True)
    elif job.state in TERMINAL | {JobState.CANCELLING}:
        raise IllegalActionError("resume", job.state, "Submit its resolved_spec as a new job to train it again.")


def _request_resume(connection: Connection, job: LockedJob, *, wanted: bool) -> None:
    """Note the state that a pausing job takes once its run has stopped."""
    if job.resume_requested != wanted:
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(resume_requested=wanted))
