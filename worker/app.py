"""The worker process: Celery in the foreground, runners as children, two small threads beside."""

import os
import platform
import sys
from dataclasses import replace
from functools import partial
from typing import Any

import setproctitle
from celery import Celery, signals

from jobs.folders import check_folders
from jobs.ids import new_id
from jobs.logs import configure_logging, get_logger
from jobs.migrate import migrate_embedded
from jobs.model import WorkerInfo
from jobs.queue import make_celery, make_publisher
from jobs.settings import Settings
from jobs.startup import CANNOT_START, begin, reason_of
from jobs.store import open_store
from regcore.kinds import PluginError
from worker.datasets.validation import Validator
from worker.devices import find_slots, threads_per_slot
from worker.environment import runner_environment
from worker.plugins import installed_plugins
from worker.reconciler import Periodic, beat, bury, pay_files, reconcile, tidy, wake_idle
from worker.supervise.files import make_temporary, temporary_dir, temporary_files_in
from worker.supervise.forking import RunnerTemplate
from worker.supervise.presence import Presence
from worker.supervise.process import RunnerProcess
from worker.supervise.spare import WarmRunners
from worker.supervise.task import Claimer, register_task
from worker.surroundings import Surroundings

_log = get_logger(__name__)

TIDY_INTERVAL_S = 600.0
_LOOK_FOR_DATASETS_S = 0.5
"""At most between two looks for data sets that wait to be read: their users watch."""


class Worker:
    """Everything that a worker process is made of.

    Args:
        settings: The worker's.
    """

    def __init__(self, settings: Settings) -> None:
        self.id = new_id("wrk")
        self._settings = settings
        plugins = installed_plugins()  # first, while one that cannot be imported is still told in one line
        self._temporary_dir = temporary_dir(settings.data_dir, self.id)
        self._store = open_store(settings)
        slots = find_slots(settings.slots)
        num_threads = threads_per_slot(len(slots))
        environment = runner_environment(
            os.environ, num_threads, self._temporary_dir, allow_downloads=settings.allow_downloads
        )
        self._presence = Presence(settings.data_dir, self.id)
        make_temporary(self._temporary_dir)  # now, while a folder that cannot be made is still told in one line
        self._template = RunnerTemplate(environment, inherited=[self._presence.descriptor])
        self._runners = WarmRunners(partial(RunnerProcess, self._template))
        self._around = surroundings = Surroundings.of(settings, self._store, num_threads)
        validator = Validator(self.id, surroundings, self._temporary_dir)
        self._claimer = Claimer(self.id, surroundings, slots, self._runners, plugins)
        self._num_slots = len(slots)
        self._info = WorkerInfo(
            id=self.id,
            node=platform.node(),
            capabilities=self._claimer.capabilities,
            slots=self._claimer.occupancy(),
            versions={"python": platform.python_version(), **plugins},
        )
        # Connections of its own: a publish that waits for Redis must not block the consumer.
        self._publisher = make_publisher(settings)
        self._threads = [
            Periodic("reconciler", settings.reconcile_interval_s, self._reconcile),
            Periodic("heartbeat", settings.lease_s / 3, self._beat),
            Periodic("tidying", TIDY_INTERVAL_S, self._tidy),
            Periodic(
                "reader of data sets", min(settings.reconcile_interval_s, _LOOK_FOR_DATASETS_S), validator.read_waiting
            ),
        ]

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then give the running jobs back to the queue."""
        celery = make_celery(self._settings)
        register_task(celery, self._claimer)
        # First, since other workers delete the temporary files of workers that are not registered.
        self._store.register_worker(self._info)
        with temporary_files_in(self._temporary_dir):
            self._runners.fill()
            for thread in self._threads:
                thread.start()
            _log.info("worker started", worker_id=self.id, num_slots=self._num_slots, pid=os.getpid())
            try:
                self._consume(celery)
            finally:
                self._stop()

    def _stop(self) -> None:
        self._around.draining.set()
        for thread in self._threads:
            thread.stop()
        self._runners.close()
        self._template.close()
        self._store.retire_worker(self.id)
        self._presence.close()
        self._around.notifier.close()
        self._store.close()
        _log.info("worker stopped", worker_id=self.id)

    def _consume(self, celery: Celery) -> None:
        signals.worker_shutting_down.connect(self._drain)
        signals.setup_logging.connect(_keep_logging)
        signals.worker_ready.connect(_set_title)
        celery.Worker(
            # Threads: Celery's solo pool answers nothing while it is busy, and forking after CUDA has started is
            # undefined.
            pool="threads",
            concurrency=self._num_slots,
            hostname=f"{self.id}@{platform.node()}",
            loglevel=self._settings.log_level.upper(),
            # Workers share nothing but the database.
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        ).start()

    def _drain(self, **_: Any) -> None:
        """Tell the running tasks to end: Celery's thread pool waits for them."""
        _log.info("draining", worker_id=self.id)
        self._around.draining.set()

    def _reconcile(self) -> None:
        bury(self._store, self._presence, self._settings.data_dir)
        reconcile(self._store, self._publisher, self._around.notifier)
        if self._claimer.is_idle and not self._around.draining.is_set():
            wake_idle(self._store, self._publisher, self._claimer.capabilities)
        pay_files(self._store, self._around.artifacts)

    def _tidy(self) -> None:
        tidy(self._store, self._around.artifacts, self._settings, self.id)
        self._around.tables.keep_only(self._store.referenced)
        self._presence.keep_only({worker.id for worker in self._store.workers()})

    def _beat(self) -> None:
        make_temporary(self._temporary_dir)  # another worker deletes it if it believes that this one is lost
        versions = {**self._info.versions, **self._runners.versions}
        info = replace(self._info, slots=self._claimer.occupancy(), versions=versions)
        if versions != self._info.versions:
            # The versions are known only once a runner has imported torch.
            self._info = info
            self._store.register_worker(info)
        beat(self._store, info, info.slots, draining=self._around.draining.is_set())


def _keep_logging(**_: Any) -> None:
    """Do nothing: as long as something is connected to this signal, Celery leaves logging alone."""


def _set_title(**_: Any) -> None:
    """Set the process title again: Celery changes it while it starts."""
    setproctitle.setproctitle("regcore-worker")


def main() -> None:
    """Run a worker from the environment's settings."""
    _set_title()
    settings = begin()
    configure_logging(settings.log_level)
    try:
        check_folders(settings)
        # The embedded stack starts api and worker at the same time; both migrate, one after the other.
        migrate_embedded(settings)
        worker = Worker(settings)
    except (*CANNOT_START, PluginError) as error:
        _log.error("worker_cannot_start", reason=reason_of(error, settings))
        sys.exit(1)
    worker.run()
