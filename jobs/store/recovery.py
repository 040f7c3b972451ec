"""What the reconciler asks of the store. Each step is a compare-and-set: doing it twice is harmless."""

from sqlalchemy import Connection, select, update

from jobs.clock import read_clock
from jobs.states import JobState, Reason, make_reason
from jobs.store.base import Concern
from jobs.store.log import LockedJob, change_state, lock_jobs
from jobs.store.runs import end_run_if_empty, return_job
from jobs.store.workers import live_capabilities
from jobs.tables import jobs, runs

_NUM_RUNS_AT_ONCE = 100
_MAX_BACKOFF_S = 60.0


class Recovery(Concern):
    """Expired leases and lost messages."""

    def expire_leases(self, max_attempts: int | None = None) -> list[str]:
        """Take the jobs of runs whose lease has expired back to the queue, and return their ids.

        A job that lost its worker ``max_attempts`` times in a row fails instead; one with a pending cancel is
        cancelled. The old runs' later writes are refused.
        """
        ceiling = self._options.max_attempts if max_attempts is None else max_attempts
        freed: list[str] = []
        with self._database.write() as connection:
            at = read_clock(connection)
            expired = select(runs.c.id).where(runs.c.ended_at.is_(None), runs.c.lease_until < at)
            expired = expired.order_by(runs.c.id).limit(_NUM_RUNS_AT_ONCE).with_for_update(skip_locked=True)
            for run_id in connection.execute(expired).scalars().all():
                for job in lock_jobs(connection, jobs.c.run_id == run_id):
                    _lose(connection, job, at, ceiling)
                    freed.append(job.id)
                end_run_if_empty(connection, run_id, at)
        return freed

    def due_jobs(self, limit: int = 100) -> list[str]:
        """Return queued jobs whose message is due, best first, and put off their next one with backoff.

        A job that no live worker can take says ``waiting_for_device``, until one can.
        """
        with self._database.write() as connection:
            at = read_clock(connection)
            query = (
                select(jobs.c.id, jobs.c.num_publishes, jobs.c.device, jobs.c.pool, jobs.c.state_reason)
                .where(jobs.c.state == JobState.QUEUED.value, jobs.c.publish_at <= at, jobs.c.claimable_at <= at)
                .order_by(jobs.c.priority.desc(), jobs.c.created_at, jobs.c.id)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            due = connection.execute(query).all()
            live = live_capabilities(connection, at, self._options.lease_s) if due else []
            for row in due:
                wait_s = min(self._options.reconcile_interval_s * 2 ** min(row.num_publishes, 16), _MAX_BACKOFF_S)
                values = {"publish_at": at + wait_s, "num_publishes": row.num_publishes + 1}
                connection.execute(update(jobs).where(jobs.c.id == row.id).values(values))
                takeable = any(one.can_take(row.device, row.pool) for one in live)
                _tell_waiting(connection, row.id, row.state_reason, takeable=takeable, at=at)
        return [row.id for row in due]


def _lose(connection: Connection, job: LockedJob, at: float, max_attempts: int) -> None:
    num_lost = job.num_lost_attempts + 1
    reason = make_reason(Reason.WORKER_LOST, details={"attempt": job.attempt, "num_lost_attempts": num_lost})
    if num_lost >= max_attempts and job.state is not JobState.CANCELLING:
        values = {"run_id": None, "num_lost_attempts": num_lost}
        change_state(connection, job, JobState.FAILED, at=at, reason=reason, **values)
        return
    return_job(connection, job, at, reason=reason, num_lost_attempts=num_lost)


def _tell_waiting(
    connection: Connection, job_id: str, reason: dict[str, object] | None, *, takeable: bool, at: float
) -> None:
    says_waiting = reason is not None and reason["code"] == Reason.WAITING_FOR_DEVICE
    if takeable != says_waiting:
        return
    new_reason = None if takeable else make_reason(Reason.WAITING_FOR_DEVICE)
    changes = {"state_reason": new_reason, "version": jobs.c.version + 1, "updated_at": at}
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(changes))
