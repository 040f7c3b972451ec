"""The registry of workers."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from jobs.clock import read_clock
from jobs.model import Capabilities, Json, WorkerInfo, WorkerRow
from jobs.store.base import Concern
from jobs.tables import workers

_FORGET_AFTER_S = 86_400.0


class Workers(Concern):
    """The registry of workers, for users, and to tell a job that no worker can take it. Claims do not depend on it."""

    def register_worker(self, worker: WorkerInfo) -> None:
        """Add a worker, or update its row; delete workers that were lost a day ago."""
        with self._database.write() as connection:
            at = read_clock(connection)
            stale = workers.c.heartbeat_at < at - _FORGET_AFTER_S
            connection.execute(delete(workers).where(stale | (workers.c.id == worker.id)))
            values = {
                "id": worker.id,
                "node": worker.node,
                "pool": worker.capabilities.pool,
                "devices": sorted(worker.capabilities.devices),
                "plugins": sorted(worker.capabilities.plugins),
                "draining": False,
                "slots": worker.slots,
                "versions": worker.versions,
                "started_at": at,
                "heartbeat_at": at,
            }
            connection.execute(insert(workers).values(values))

    def beat_worker(self, worker_id: str, slots: Sequence[Json], *, draining: bool = False) -> bool:
        """Note a worker's heartbeat and the jobs in its slots; False if it must register again."""
        with self._database.write() as connection:
            values = {"heartbeat_at": read_clock(connection), "slots": list(slots), "draining": draining}
            return connection.execute(update(workers).where(workers.c.id == worker_id).values(values)).rowcount == 1

    def retire_worker(self, worker_id: str) -> None:
        """Remove a worker that has ended by itself."""
        with self._database.write() as connection:
            connection.execute(delete(workers).where(workers.c.id == worker_id))

    def workers(self) -> list[WorkerRow]:
        """Return every worker, oldest first; one whose heartbeat is older than a lease is ``lost``."""
        with self._database.read() as connection:
            at = read_clock(connection)
            rows = connection.execute(select(workers).order_by(workers.c.started_at, workers.c.id)).all()
        return [
            WorkerRow(
                id=row.id,
                node=row.node,
                pool=row.pool,
                devices=row.devices,
                plugins=row.plugins or [],
                state=_state(row.heartbeat_at < at - self._options.lease_s, row.draining),
                slots=row.slots,
                versions=row.versions,
                started_at=row.started_at,
                heartbeat_at=row.heartbeat_at,
            )
            for row in rows
        ]


def live_capabilities(connection: Connection, at: float, lease_s: float) -> list[Capabilities]:
    """Return the capabilities of each worker that is neither lost nor draining."""
    query = select(workers.c.devices, workers.c.pool, workers.c.plugins).where(
        workers.c.heartbeat_at >= at - lease_s, workers.c.draining.is_(False)
    )
    return [
        Capabilities(frozenset(row.devices), row.pool, frozenset(row.plugins or ()))
        for row in connection.execute(query)
    ]


def _state(lost: bool, draining: bool) -> str:
    if lost:
        return "lost"
    return "draining" if draining else "ready"
