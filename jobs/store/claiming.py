"""Claiming: which job a worker takes, and which of its group with it."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, exists, or_, select, update

from jobs.clock import read_clock
from jobs.model import Capabilities, ClaimedRun
from jobs.states import TERMINAL, JobState
from jobs.store.base import Concern
from jobs.store.log import LockedJob, lock_jobs, to_state, write_changes
from jobs.store.plugins import needs_only
from jobs.store.reading import read_jobs
from jobs.store.runs import new_run
from jobs.tables import jobs

CLAIM_ORDER = (jobs.c.as_if_created_at, jobs.c.turn, jobs.c.id)
"""The order in which jobs are claimed: the oldest first, where a higher priority makes a job older."""


class Claiming(Concern):
    """Claiming queued jobs."""

    def claim(self, worker_id: str, capabilities: Capabilities) -> ClaimedRun | None:
        """Take the first queued job, in the order of the queue, that the worker can run; or None.

        The job goes to ``starting``, with a new attempt, run and lease. If it trained in a group, all waiting jobs of
        the group are claimed with it.
        """
        with self._database.write() as connection:
            at = read_clock(connection)
            found = _lock_best(connection, at, capabilities)
            if not found:
                return None
            group_id = found[0].group_id
            run_id = new_run(connection, worker_id, at, at + self._options.lease_s)
            take(connection, found, run_id, at)
            companions, is_whole = _part(connection, group_id, found)
            claimed = read_jobs(connection, [job.id for job in found])
            return ClaimedRun(run_id, claimed, group_id, companions, is_whole)

    def waiting_job(self, capabilities: Capabilities) -> str | None:
        """Return the job that `claim` would take now, without taking it."""
        with self._database.read() as connection:
            ready = _ready(read_clock(connection), capabilities)
            query = select(jobs.c.id).where(*ready).order_by(*CLAIM_ORDER).limit(1)
            found: str | None = connection.execute(query).scalar_one_or_none()
        return found


def take(connection: Connection, found: Sequence[LockedJob], run_id: int, at: float) -> None:
    """Give locked jobs that are queued to a run, each with a new attempt."""
    changes = [
        to_state(job, JobState.STARTING, at=at, run_id=run_id, attempt=job.attempt + 1, heartbeat_at=at)
        for job in found
    ]
    write_changes(connection, changes, at=at)


def can_run(capabilities: Capabilities) -> ColumnElement[bool]:
    """`Capabilities.can_take` in SQL."""
    device = jobs.c.device.in_(["auto", *sorted(capabilities.devices)])
    any_pool = jobs.c.pool.is_(None)
    pool = any_pool if capabilities.pool is None else or_(any_pool, jobs.c.pool == capabilities.pool)
    return device & pool & needs_only(capabilities.plugins)


def _ready(at: float, capabilities: Capabilities) -> tuple[ColumnElement[bool], ...]:
    """Queued jobs that the worker may claim now. Of each group, none while a run still holds one of its jobs.

    A drain returns the jobs of a group one after the other. A claim in between would split the group.
    """
    others = jobs.alias()
    still_trains = exists().where(others.c.group_id == jobs.c.group_id, others.c.run_id.is_not(None))
    is_together = or_(jobs.c.group_id.is_(None), ~still_trains)
    return (jobs.c.state == JobState.QUEUED.value, jobs.c.claimable_at <= at, can_run(capabilities), is_together)


def _lock_best(connection: Connection, at: float, capabilities: Capabilities) -> list[LockedJob]:
    """Lock the best queued job that the worker can run, with the waiting jobs of its group."""
    ready = _ready(at, capabilities)
    while True:
        with connection.begin_nested() as look:
            found = lock_jobs(connection, *ready, order_by=CLAIM_ORDER, limit=1, skip_locked=True)
            if not found or found[0].group_id is None:
                return found
            # Release the first lock: two claims that each hold one job of a group would deadlock. All claims lock a
            # group in the order of ids, and the later claim finds the group taken.
            look.rollback()
        group = lock_jobs(connection, jobs.c.group_id == found[0].group_id)
        waiting = [job for job in group if job.state is JobState.QUEUED]
        # Check again under the locks: another claim may have taken the jobs meanwhile.
        if waiting and all(job.run_id is None for job in group):
            return waiting


def _part(connection: Connection, group_id: str | None, taken: Sequence[LockedJob]) -> tuple[list[str], bool]:
    """Choose the jobs of a locked group that are claimed together; the others leave the group and train alone.

    A pass that resumes from a checkpoint keeps the place of members that have ended. A pass that begins anew starts
    without them.

    Returns:
        Ids of all jobs that the pass began with, and whether no other job may resume from the group's checkpoints.
    """
    if group_id is None:
        return [], True
    ids = [job.id for job in taken]
    of_group = jobs.c.group_id == group_id
    lives = jobs.c.state.not_in([state.value for state in TERMINAL])
    begins_anew = taken[0].checkpoint is None  # a checkpoint of the group belongs to each of its jobs
    stays = jobs.c.id.in_(ids) if begins_anew else jobs.c.id.in_(ids) | ~lives
    companions = ids
    if not begins_anew:
        companions = list(connection.execute(select(jobs.c.id).where(of_group).order_by(jobs.c.id)).scalars())
    connection.execute(update(jobs).where(of_group, ~stays).values(group_id=None))
    # Also if it was cancelled meanwhile: a rerun may resume from there.
    needs_them = (jobs.c.id.not_in(ids), jobs.c.checkpoint["owner"].as_string() == group_id)
    return companions, connection.execute(select(jobs.c.id).where(*needs_them).limit(1)).first() is None
