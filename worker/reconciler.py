"""What a worker does besides training: its heartbeat, and setting right what was lost. A thread for each.

Every worker reconciles and none leads: each step is a compare-and-set in the store, so doing it twice is
harmless.
"""

import threading
from collections.abc import Callable

from celery import Celery

from jobs.artifacts import ArtifactStore
from jobs.errors import StoreUnavailableError
from jobs.live import Notifier
from jobs.model import Json, WorkerInfo
from jobs.queue import publish
from jobs.store import Store
from worker.logs import get_logger

_log = get_logger(__name__)


class Periodic:
    """Calls something at once and then again and again, on a thread, until it is stopped.

    Args:
        name: The thread's.
        interval_s: From the end of one call to the start of the next.
        action: A database that is away is logged, and the next call tries again.
    """

    def __init__(self, name: str, interval_s: float, action: Callable[[], None]) -> None:
        self._interval_s = interval_s
        self._action = action
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for a call that is on."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _repeat(self) -> None:
        while True:
            try:
                self._action()
            except StoreUnavailableError:
                _log.warning("the database does not answer", activity=self._thread.name)
            except Exception:
                # A fault of ours must not end the thread: jobs would wait for ever without a word.
                _log.exception("periodic activity failed", activity=self._thread.name)
            if self._stopped.wait(self._interval_s):
                return


def reconcile(store: Store, celery: Celery, notifier: Notifier) -> None:
    """Free the jobs of runs whose lease has expired, and publish again what is due.

    Redis may have lost every message; the rows say what there is to do.
    """
    for job_id in store.expire_leases():
        _log.warning("the run's lease has expired", job_id=job_id)
        notifier.notify(job_id)
    for job_id in store.due_jobs():
        if not publish(celery, job_id):
            return


def tidy(store: Store, artifacts: ArtifactStore) -> None:
    """Delete what nothing refers to any more: idempotency keys past their time, and files of deleted jobs."""
    store.forget_answers()
    artifacts.delete_unreferenced(store.referenced)


def beat(store: Store, worker: WorkerInfo, slots: list[Json], *, draining: bool) -> None:
    """Tell the store that this worker lives; register again where it was taken for lost and forgotten."""
    if not store.beat_worker(worker.id, slots, draining=draining):
        store.register_worker(worker)
