"""Joining: adding queued jobs to the pass of a claimed one."""

import itertools
import time
from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, null, select, update

from jobs.clock import read_clock
from jobs.ids import new_id
from jobs.model import Capabilities, ClaimedRun
from jobs.states import JobState
from jobs.store.base import Concern
from jobs.store.claiming import CLAIM_ORDER, can_run, take
from jobs.store.log import LockedJob, lock_jobs
from jobs.store.reading import read_jobs
from jobs.store.rows import AnyRow
from jobs.store.runs import lock_fenced
from jobs.tables import jobs

RUNNER_BYTES = 1_000_000_000
"""The memory of a runner without members: most of it is torch."""
_LOOKS: Final = 5
_BETWEEN_LOOKS_S: Final = 0.02


class Joining(Concern):
    """Joining jobs."""

    def has_companions(self, job_id: str) -> bool:
        """Return whether any queued job could train in one pass with a claimed one."""
        with self._database.read() as connection:
            lead = connection.execute(_LEAD.where(jobs.c.id == job_id)).one_or_none()
            if lead is None or not _is_free(lead):
                return False
            query = select(jobs.c.id).where(*_compatible(lead, read_clock(connection))).limit(1)
            return connection.execute(query).first() is not None

    def join(self, run_id: int, job_id: str, capabilities: Capabilities, limit: int, max_bytes: int) -> ClaimedRun:
        """Claim queued jobs that may train in one pass with the only job of a run; together they become a group.

        Safe to repeat: a run that has more than one job is left as it is.

        Args:
            run_id: The fence.
            job_id: Its one job.
            capabilities: Of the worker.
            limit: Most jobs to add.
            max_bytes: Memory for all members together; each member's `resources.max_memory_bytes` limits it too.

        Returns:
            The whole run, its jobs in the order of their ids; only the one job if nothing fits.

        Raises:
            StaleRunError: The run is not the job's current one.
        """
        with self._database.write() as connection:
            locked = lock_fenced(connection, run_id, [job_id])
            lead = locked[job_id]
            if len(locked) > 1:  # joined by an earlier call whose answer was lost
                return ClaimedRun(run_id, read_jobs(connection, sorted(locked)), lead.group_id, sorted(locked))
            row = connection.execute(_LEAD.where(jobs.c.id == job_id)).one()
            at = read_clock(connection)
            found: list[LockedJob] = []
            if limit > 0 and _is_free(row) and lead.state is JobState.STARTING:
                conditions = (*_compatible(row, at), can_run(capabilities))
                found = _lock_compatible(connection, conditions, limit)
                found = _within_memory(connection, lead, found, row.member_bytes, max_bytes)
            group_id = new_id("grp") if found else None
            take(connection, found, run_id, at)
            # In the order of `claim`: a member's place in its pass affects its last bits.
            ids = sorted(job.id for job in (lead, *found))
            if group_id is not None:
                connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(group_id=group_id))
            return ClaimedRun(run_id, read_jobs(connection, ids), group_id, ids)


_LEAD = select(
    jobs.c.tenant,
    jobs.c.fusion_key,
    jobs.c.member_bytes,
    jobs.c.alone,
    jobs.c.group_id,
    jobs.c.checkpoint,
    jobs.c.num_lost_attempts,
)


def _is_free(row: AnyRow) -> bool:
    """Whether a job may begin a group: it has not trained yet, alone or with others."""
    has_begun = row.group_id is not None or row.checkpoint is not None or row.num_lost_attempts > 0
    return row.fusion_key is not None and not row.alone and not has_begun


def _compatible(lead: AnyRow, at: float) -> tuple[ColumnElement[bool], ...]:
    """Queued jobs that may begin a group with this one, and may be claimed now."""
    return (
        jobs.c.state == JobState.QUEUED.value,
        jobs.c.fusion_key == lead.fusion_key,
        jobs.c.tenant == lead.tenant,
        jobs.c.claimable_at <= at,
        jobs.c.alone.is_(False),
        jobs.c.group_id.is_(None),
        jobs.c.num_lost_attempts == 0,
        jobs.c.checkpoint.is_(null()),
    )


def _lock_compatible(connection: Connection, conditions: Sequence[ColumnElement[bool]], limit: int) -> list[LockedJob]:
    """Lock jobs that meet the conditions, the most urgent first.

    What others hold is passed over, because waiting for it could deadlock. Most hold it for a moment, such as to send a
    message for it; so while some is missing this looks again, or the missing job would train alone.
    """
    there = select(jobs.c.id).where(*conditions).limit(limit)
    for look in itertools.count(1):
        found = lock_jobs(connection, *conditions, order_by=CLAIM_ORDER, limit=limit, skip_locked=True)
        if look == _LOOKS or len(found) == len(connection.execute(there).all()):
            break
        time.sleep(_BETWEEN_LOOKS_S)
    return found


def _within_memory(
    connection: Connection, lead: LockedJob, found: Sequence[LockedJob], member_bytes: int, max_bytes: int
) -> list[LockedJob]:
    """As many as fit into the free memory, and into the limit that each member sets for the whole process."""
    ids = [lead.id, *(job.id for job in found)]
    rows = connection.execute(select(jobs.c.id, jobs.c.resolved_spec).where(jobs.c.id.in_(ids)))
    limits = {row.id: row.resolved_spec.get("resources", {}).get("max_memory_bytes") for row in rows}
    chosen = [lead]
    for job in found:
        wanted = [*chosen, job]
        needed = len(wanted) * member_bytes
        own = [limits[one.id] for one in wanted if limits[one.id] is not None]
        if needed <= max_bytes and all(RUNNER_BYTES + needed <= limit for limit in own):
            chosen = wanted
    return chosen[1:]
