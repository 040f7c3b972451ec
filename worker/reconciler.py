"""What a worker does besides training, each on a thread: its heartbeat, and repairing what was lost.

Every worker reconciles and none leads. Each step is a compare-and-set in the store, so repeating it is harmless.
"""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from celery import Celery

from jobs.artifacts import ArtifactStore
from jobs.errors import JobNotFoundError, StoreUnavailableError
from jobs.live import Notifier
from jobs.logs import get_logger
from jobs.model import Capabilities, Json, WorkerInfo
from jobs.queue import publish
from jobs.settings import Settings
from jobs.store import Store
from worker.supervise.archive import archive
from worker.supervise.checkpoints import owners, remove_checkpoints
from worker.supervise.files import remove_run, remove_temporary, run_ids, temporary_dir
from worker.supervise.presence import Presence

_log = get_logger(__name__)


class Periodic:
    """Calls something now and then at intervals, on a thread, until it is stopped.

    Args:
        name: The thread's.
        interval_s: From the end of one call to the start of the next.
        action: What to call; if the database is away, that is logged and the next call tries again.
    """

    def __init__(self, name: str, interval_s: float, action: Callable[[], None]) -> None:
        self._interval_s = interval_s
        self._action = action
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for the present call to end."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _repeat(self) -> None:
        while True:
            try:
                self._action()
            except StoreUnavailableError as error:
                _log.warning("the database cannot be used", activity=self._thread.name, why=error.outage)
            except Exception:
                # A bug of ours must not end the thread: jobs would then wait for ever, and nobody would know.
                _log.exception("periodic activity failed", activity=self._thread.name)
            if self._stopped.wait(self._interval_s):
                return


def bury(store: Store, presence: Presence, data_dir: Path) -> None:
    """End the leases of this machine's dead workers now: none of their processes is left that could still write.

    Their temporary files are deleted too.
    """
    for worker_id in presence.dead():
        _log.warning("a worker of this machine is dead", worker_id=worker_id)
        store.end_leases(worker_id)
        store.retire_worker(worker_id)
        shutil.rmtree(temporary_dir(data_dir, worker_id), ignore_errors=True)
        presence.forget(worker_id)  # last, so that the next call tries again if the database is away


def reconcile(store: Store, celery: Celery, notifier: Notifier) -> None:
    """Free the jobs and data sets whose lease has expired, and publish the messages that are due.

    Redis may have lost every message; the rows tell what to do.
    """
    for job_id in store.expire_leases():
        _log.warning("the run's lease has expired", job_id=job_id)
        notifier.notify(job_id)
    for dataset_id in store.expire_dataset_leases():
        _log.warning("the lease of the data set's reader has expired", dataset_id=dataset_id)
    for job_id in store.due_jobs():
        if not publish(celery, job_id):
            return


def wake_idle(store: Store, celery: Celery, capabilities: Capabilities) -> None:
    """Send a hint to an idle worker that has missed one, if there is work for it.

    Messages are repeated less and less often, so a worker that starts after they were lost would wait for long.
    """
    job_id = store.waiting_job(capabilities)
    if job_id is not None:
        publish(celery, job_id)


def pay_files(store: Store, artifacts: ArtifactStore) -> None:
    """Store log and metrics of jobs that ended while no worker had them."""
    for job in store.owing_files():
        try:
            store.pay_files(job.id, archive(store, artifacts, job.tenant, job.id))
        # the job was deleted meanwhile, or the disk is full: do the others
        except (JobNotFoundError, OSError) as error:
            _log.warning("could not make the files of a job", job_id=job.id, error=str(error))


def tidy(store: Store, artifacts: ArtifactStore, settings: Settings, worker_id: str) -> None:
    """Delete what is no longer needed.

    Idempotency keys past their time, files of deleted jobs, checkpoints of jobs that have ended, and the folders of
    runs whose worker was killed, with its temporary files.

    Args:
        store: Knows what is needed.
        artifacts: The artifacts of all jobs.
        settings: The worker's.
        worker_id: This worker, which is alive even if its row is missing until the next heartbeat.
    """
    store.forget_answers()
    artifacts.delete_unreferenced(store.referenced)
    saved = owners(settings.checkpoints_dir)
    # A rerun may resume from a failed or cancelled job. A job that this database does not know may belong to another
    # database, or to this one once a backup is restored.
    old = set(owners(settings.checkpoints_dir, min_age_s=settings.keep_checkpoints_s))
    idle = sorted((store.succeeded_owners(saved) | old) - store.needed_owners(saved))
    if idle:
        remove_checkpoints(settings.checkpoints_dir, store.forget_checkpoints(idle))
    left = run_ids(settings.data_dir)
    for run_id in left - store.live_runs(sorted(left)):
        remove_run(settings.data_dir, run_id)
    remove_temporary(settings.data_dir, {worker_id} | {worker.id for worker in store.workers()})


def beat(store: Store, worker: WorkerInfo, slots: list[Json], *, draining: bool) -> None:
    """Tell the store that this worker is alive; register again if it was forgotten as lost."""
    if not store.beat_worker(worker.id, slots, draining=draining):
        store.register_worker(worker)
