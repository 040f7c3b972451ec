"""What a user does to a job: cancel and delete."""

from sqlalchemy import Connection, delete, select

from jobs.clock import read_clock
from jobs.errors import IllegalActionError, JobNotFoundError
from jobs.model import IdempotencyKey, Job
from jobs.states import TERMINAL, JobState, Reason, is_legal, make_reason
from jobs.store.base import Concern
from jobs.store.log import LockedJob, change_state, lock_jobs
from jobs.store.reading import read_job
from jobs.store.rows import is_job, job_from_json, job_to_json
from jobs.store.submission import claim_key, kept_answer
from jobs.tables import artifacts, jobs


class Actions(Concern):
    """Cancelling and deleting."""

    def request_cancel(self, tenant: str, job_id: str, key: IdempotencyKey | None = None) -> Job:
        """Cancel a job: at once where it has no run, else as soon as its run has seen the request.

        Asking again is harmless.

        Raises:
            JobNotFoundError: There is none, or it is another tenant's.
            IllegalActionError: It has already succeeded or failed.
            IdempotencyMismatchError: The key was used for another body.
        """
        with self._database.write() as connection:
            at = read_clock(connection)
            ttl_s = self._options.idempotency_ttl_s
            # Before the job is looked at: what was once accepted is not refused when it is asked again.
            answer = kept_answer(connection, tenant, key, at - ttl_s) if key else None
            if answer is not None:
                return job_from_json(answer)
            job = _lock_owned(connection, tenant, job_id)
            if job.state not in (JobState.CANCELLING, JobState.CANCELLED):
                _cancel(connection, job, at)
            current = read_job(connection, tenant, job_id)
            answer = claim_key(connection, tenant, key, job_to_json(current), at, ttl_s)
            return current if answer is None else job_from_json(answer)

    def delete(self, tenant: str, job_id: str) -> list[str]:
        """Delete a job that has ended, with its log and artifacts.

        Returns:
            The hashes of its artifacts that no other job has: their files may go.

        Raises:
            JobNotFoundError: There is none, or it is another tenant's.
            IllegalActionError: It has not ended.
        """
        with self._database.write() as connection:
            job = _lock_owned(connection, tenant, job_id)
            if job.state not in TERMINAL:
                raise IllegalActionError("delete", job.state, "Cancel it first, and wait until it has ended.")
            had = set(connection.execute(select(artifacts.c.sha256).where(artifacts.c.job_id == job_id)).scalars())
            connection.execute(delete(jobs).where(jobs.c.id == job_id))
            kept = set(connection.execute(select(artifacts.c.sha256).where(artifacts.c.sha256.in_(had))).scalars())
        return sorted(had - kept)


def _lock_owned(connection: Connection, tenant: str, job_id: str) -> LockedJob:
    found = lock_jobs(connection, is_job(job_id, tenant))
    if not found:
        raise JobNotFoundError(job_id)
    return found[0]


def _cancel(connection: Connection, job: LockedJob, at: float) -> None:
    reason = make_reason(Reason.CANCELLED_BY_USER)
    for state in (JobState.CANCELLED, JobState.CANCELLING):
        if is_legal(job.state, state):
            change_state(connection, job, state, at=at, reason=reason)
            return
    raise IllegalActionError("cancel", job.state, "It has ended already.")
