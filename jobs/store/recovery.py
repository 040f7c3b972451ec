"""The reconciler's part of the store. Each step is a compare-and-set: repeating it is harmless."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from jobs.clock import read_clock
from jobs.model import ArtifactRow, Capabilities, Json
from jobs.states import TERMINAL, JobState, Reason, make_reason
from jobs.store.base import Concern
from jobs.store.claiming import CLAIM_ORDER
from jobs.store.endings import add_artifacts, lose_job, sum_usage
from jobs.store.log import lock_jobs
from jobs.store.parsing import end_dataset_leases
from jobs.store.plugins import plugins_from_text
from jobs.store.reading import read_needed_owners
from jobs.store.rows import AnyRow
from jobs.store.runs import end_run_if_empty
from jobs.store.workers import live_capabilities
from jobs.tables import jobs, runs

_MAX_BACKOFF_S = 60.0
_WAITING = frozenset({Reason.WAITING_FOR_DEVICE, Reason.WAITING_FOR_PLUGIN})
_NUM_OWNERS_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class OwingJob:
    """A job that ended without its files."""

    tenant: str
    id: str


class Recovery(Concern):
    """Expired leases, lost messages, and the files of jobs that ended without a worker."""

    def expire_leases(self, max_attempts: int | None = None) -> list[str]:
        """Put the jobs of runs whose lease has expired back into the queue, and return their ids.

        A job that was lost ``max_attempts`` times in a row without a checkpoint fails instead; a pending cancel or
        pause takes effect. Later writes of the old runs are refused.
        """
        ceiling = self._options.max_attempts if max_attempts is None else max_attempts
        freed: list[str] = []
        while (ids := self._expire_one(ceiling)) is not None:
            freed += ids
        return freed

    def end_leases(self, worker_id: str) -> None:
        """Let the leases of a worker that is certainly dead expire now.

        `expire_leases` and `expire_dataset_leases` then find them.
        """
        with self._database.write() as connection:
            mine = select(runs.c.id).where(runs.c.worker_id == worker_id, runs.c.ended_at.is_(None))
            # Locked first, in the order that all use: one update of all rows would lock them in any order.
            ids = [row.id for row in connection.execute(mine.order_by(runs.c.id).with_for_update())]
            connection.execute(update(runs).where(runs.c.id.in_(ids)).values(lease_until=runs.c.started_at))
            end_dataset_leases(connection, worker_id)

    def _expire_one(self, max_attempts: int) -> list[str] | None:
        """End the first run whose lease has expired, and return its jobs; None if there is no such run.

        One run in each transaction: the jobs of several runs could not be locked in the order that all others use.
        """
        with self._database.write() as connection:
            at = read_clock(connection)
            expired = select(runs.c.id, runs.c.started_at, runs.c.heartbeat_at)
            expired = expired.where(runs.c.ended_at.is_(None), runs.c.lease_until < at).order_by(runs.c.id)
            run = connection.execute(expired.limit(1).with_for_update(skip_locked=True)).first()
            if run is None:
                return None
            reason = make_reason(Reason.WORKER_LOST)
            locked = lock_jobs(connection, jobs.c.run_id == run.id)
            for job in locked:
                usage = {"device_s": (run.heartbeat_at - run.started_at) / len(locked)}
                used = {"usage": sum_usage(job.usage, usage)}
                lose_job(connection, job, at, max_attempts, reason=reason, last_reason=reason, **used)
            end_run_if_empty(connection, run.id, at)
            return [job.id for job in locked]

    def owing_files(self, limit: int = 20) -> list[OwingJob]:
        """Return jobs that ended without a worker to store their log and metrics, those that ended first come first."""
        query = select(jobs.c.tenant, jobs.c.id).where(jobs.c.owes_files.is_(True)).order_by(jobs.c.finished_at)
        with self._database.read() as connection:
            return [OwingJob(row.tenant, row.id) for row in connection.execute(query.limit(limit))]

    def pay_files(self, job_id: str, rows: Sequence[ArtifactRow]) -> None:
        """Store the missing files of a job; does nothing if another reconciler was quicker."""
        with self._database.write() as connection:
            if lock_jobs(connection, jobs.c.id == job_id, jobs.c.owes_files.is_(True)):
                add_artifacts(connection, job_id, rows)

    def forget_checkpoints(self, owner_ids: Sequence[str]) -> set[str]:
        """Before checkpoints of these jobs and groups are deleted, remove them from the rows of their ended jobs.

        Returns:
            The ids whose checkpoints may be deleted now: no rerun uses one, or can any more.
        """
        gone: set[str] = set()
        for start in range(0, len(owner_ids), _NUM_OWNERS_PER_QUERY):
            gone |= self._forget_some(owner_ids[start : start + _NUM_OWNERS_PER_QUERY])
        return gone

    def _forget_some(self, owner_ids: Sequence[str]) -> set[str]:
        # Few statements, because no index helps them; and a transaction for each part, so that others can write in
        # between.
        owner = jobs.c.checkpoint["owner"].as_string()
        ended = jobs.c.state.in_([state.value for state in TERMINAL])
        with self._database.write() as connection:
            lock_jobs(connection, owner.in_(owner_ids), ended)
            gone = set(owner_ids) - read_needed_owners(connection, owner_ids)
            connection.execute(update(jobs).where(owner.in_(sorted(gone)), ended).values(checkpoint=None))
        return gone

    def due_jobs(self, limit: int = 100) -> list[str]:
        """Return queued jobs whose message is due, best first, and schedule their next message with backoff.

        A job that no live worker can take gets the reason ``waiting_for_device`` or ``waiting_for_plugin``, until one
        can.
        """
        with self._database.write() as connection:
            at = read_clock(connection)
            query = (
                select(
                    *(jobs.c.id, jobs.c.num_publishes, jobs.c.state_reason),
                    *(jobs.c.device, jobs.c.pool, jobs.c.plugins),
                )
                .where(jobs.c.state == JobState.QUEUED.value, jobs.c.publish_at <= at, jobs.c.claimable_at <= at)
                .order_by(*CLAIM_ORDER)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            due = connection.execute(query).all()
            live = live_capabilities(connection, at, self._options.lease_s) if due else []
            for row in due:
                longest_s = min(self._options.reconcile_interval_s * 2 ** min(row.num_publishes, 16), _MAX_BACKOFF_S)
                wait_s = longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads messages, guards nothing
                values = {"publish_at": at + wait_s, "num_publishes": row.num_publishes + 1}
                connection.execute(update(jobs).where(jobs.c.id == row.id).values(values))
                _tell_waiting(connection, row.id, row.state_reason, _lack(row, live), at)
        return [row.id for row in due]


def _lack(row: AnyRow, live: Sequence[Capabilities]) -> Json | None:
    """The reason why none of these workers can take a job; None if one can."""
    plugins = plugins_from_text(row.plugins)
    otherwise = [one for one in live if one.can_take(row.device, row.pool)]
    if not otherwise:
        return make_reason(Reason.WAITING_FOR_DEVICE)
    if any(one.can_take(row.device, row.pool, plugins) for one in otherwise):
        return None
    names = ", ".join(sorted(plugins))
    message = f"No live worker that could take the job has the plugins that it needs: {names}."
    return make_reason(Reason.WAITING_FOR_PLUGIN, message, details={"plugins": sorted(plugins)})


def _tell_waiting(connection: Connection, job_id: str, reason: Json | None, lack: Json | None, at: float) -> None:
    """Write for what a job waits; any other reason of a job that waits for nothing stays."""
    said, code = (None if one is None else one["code"] for one in (reason, lack))
    if code == said or (code is None and said not in _WAITING):
        return
    changes = {"state_reason": lack, "version": jobs.c.version + 1, "updated_at": at}
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(changes))
