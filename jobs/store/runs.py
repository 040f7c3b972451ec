"""Runs: the fence that every write of a worker names, and its lease. Only a job's current run may write."""

from collections.abc import Iterable

from sqlalchemy import Connection, insert, select, update

from jobs.clock import read_clock
from jobs.errors import StaleRunError
from jobs.states import JobState
from jobs.store.base import Concern
from jobs.store.log import LockedJob, lock_jobs
from jobs.tables import jobs, runs


class Runs(Concern):
    """Keeping a run alive, and reading the states of its jobs."""

    def renew(self, run_id: int, lease_s: float | None = None) -> bool:
        """Extend a run's lease from now and note the heartbeat; False if the run has ended.

        A heartbeat does not change a job's version.
        """
        with self._database.write() as connection:
            if not lock_run(connection, run_id):
                return False
            # Locked first, in the order that all use: one update of all jobs would lock them in any order.
            lock_jobs(connection, jobs.c.run_id == run_id)
            at = read_clock(connection)
            until = at + (self._options.lease_s if lease_s is None else lease_s)
            connection.execute(update(runs).where(runs.c.id == run_id).values(heartbeat_at=at, lease_until=until))
            connection.execute(update(jobs).where(jobs.c.run_id == run_id).values(heartbeat_at=at))
            return True

    def states(self, run_id: int) -> dict[str, JobState]:
        """Return the state of each job whose current run this is, by a cheap plain read."""
        with self._database.read() as connection:
            rows = connection.execute(select(jobs.c.id, jobs.c.state).where(jobs.c.run_id == run_id))
            return {row.id: JobState(row.state) for row in rows}


def new_run(connection: Connection, worker_id: str, at: float, lease_until: float) -> int:
    """Begin a run, and return its id: larger than any before."""
    values = {"worker_id": worker_id, "started_at": at, "heartbeat_at": at, "lease_until": lease_until}
    return int(connection.execute(insert(runs).values(values).returning(runs.c.id)).scalar_one())


def lock_run(connection: Connection, run_id: int) -> bool:
    """Lock a run's row; False if the run has ended. Always before the rows of its jobs, to avoid deadlocks."""
    query = select(runs.c.id).where(runs.c.id == run_id, runs.c.ended_at.is_(None)).with_for_update()
    return connection.execute(query).first() is not None


def lock_fenced(connection: Connection, run_id: int, job_ids: Iterable[str] = ()) -> dict[str, LockedJob]:
    """Lock a run and all of its jobs, and return these by their ids; none if it has ended.

    Raises:
        StaleRunError: The run is not the current one of one of ``job_ids``.
    """
    locked = lock_jobs(connection, jobs.c.run_id == run_id) if lock_run(connection, run_id) else []
    found = {job.id: job for job in locked}
    for job_id in job_ids:
        if job_id not in found:
            raise StaleRunError(run_id, job_id)
    return found


def end_run_if_empty(connection: Connection, run_id: int, at: float) -> None:
    """Mark a locked run as ended once no job points to it."""
    if connection.execute(select(jobs.c.id).where(jobs.c.run_id == run_id).limit(1)).first() is None:
        connection.execute(update(runs).where(runs.c.id == run_id).values(ended_at=at))
