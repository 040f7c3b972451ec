"""What every supervisor of a worker shares."""

import threading
from dataclasses import dataclass

from jobs.artifacts import ArtifactStore
from jobs.live import Notifier
from jobs.settings import Settings
from jobs.store import Store


@dataclass(frozen=True)
class Surroundings:
    """What every supervisor of a worker shares.

    Attributes:
        draining: Set when the worker is told to shut down: runs go back to the queue.
        num_threads: That torch gets in each runner.
    """

    store: Store
    artifacts: ArtifactStore
    notifier: Notifier
    settings: Settings
    draining: threading.Event
    num_threads: int
