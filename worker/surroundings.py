"""What the parts of a worker share: the store, the artifacts, the settings, and whether it shuts down."""

import threading
from dataclasses import dataclass

from jobs.artifacts import ArtifactStore
from jobs.live import Notifier
from jobs.settings import Settings
from jobs.store import Store
from worker.table_cache import TableCache


@dataclass(frozen=True)
class Surroundings:
    """What every supervisor of a worker shares.

    Attributes:
        draining: Set when the worker is told to shut down: runs go back to the queue.
        num_threads: For torch, in each runner.
        tables: This node's copies of uploaded tables.
    """

    store: Store
    artifacts: ArtifactStore
    notifier: Notifier
    settings: Settings
    draining: threading.Event
    num_threads: int
    tables: TableCache

    @classmethod
    def of(cls, settings: Settings, store: Store, num_threads: int) -> "Surroundings":
        """Those of a worker that begins."""
        artifacts = ArtifactStore(settings.artifacts_dir)
        return cls(
            store=store,
            artifacts=artifacts,
            notifier=Notifier(settings),
            settings=settings,
            draining=threading.Event(),
            num_threads=num_threads,
            tables=TableCache(settings.data_dir / "tables", artifacts, settings.max_tables_bytes),
        )
