"""What a message from the queue starts: claim the best job, run it to its end, and repeat while there are more.

The message names a job, but the row decides: the first to claim the job runs it, and a message that comes twice, late
or for an ended job finds nothing to do.
"""

import errno
import queue
import time
from collections.abc import Collection, Sequence
from typing import Any

from celery import Celery
from structlog.contextvars import bound_contextvars

from jobs.errors import JobsError, StoreUnavailableError
from jobs.logs import get_logger
from jobs.model import Capabilities, ClaimedRun, Job, Settlement
from jobs.queue import TASK_NAME
from jobs.states import JobState, Reason, make_reason
from worker.devices import Slot
from worker.supervise.lease import LeaseLostError
from worker.supervise.spare import WarmRunners
from worker.supervise.supervisor import Supervisor
from worker.surroundings import Surroundings

_BLIND_S = 1.0
"""How long Celery may take after a run to fetch messages again. It fetches none while every slot is taken."""
_LOOK_EVERY_S = 0.05
_log = get_logger(__name__)


class Claimer:
    """Claims jobs for free slots and supervises them; Celery's threads call it.

    Args:
        worker_id: This worker.
        surroundings: Shared with every supervisor.
        slots: As many as there are threads.
        runners: Warm processes.
        plugins: Names of the plugins that are installed here.
    """

    def __init__(
        self,
        worker_id: str,
        surroundings: Surroundings,
        slots: list[Slot],
        runners: WarmRunners,
        plugins: Collection[str] = (),
    ) -> None:
        self._worker_id = worker_id
        self._around = surroundings
        self._runners = runners
        self._free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
        for slot in slots:
            self._free.put(slot)
        self._busy: dict[int, Supervisor] = {}
        self._slots = slots
        devices = {"cpu"} | {slot.device.split(":")[0] for slot in slots}
        self.capabilities = Capabilities(frozenset(devices), surroundings.settings.pool, frozenset(plugins))

    def occupancy(self) -> list[dict[str, object]]:
        """Each slot as `/v1/workers` shows it."""
        busy = dict(self._busy)
        return [
            {"device": slot.device, "job_ids": busy[slot.index].active_ids() if slot.index in busy else []}
            for slot in self._slots
        ]

    @property
    def is_idle(self) -> bool:
        """Whether a slot has nothing to do."""
        return not self._free.empty()

    def work(self) -> None:
        """Claim and run jobs until there are no more for this worker, or it is draining."""
        slot = self._free.get()
        look_until = 0.0
        try:
            while not self._around.draining.is_set():
                claimed_at = time.monotonic()
                run = self._around.store.claim(self._worker_id, self.capabilities)
                if run is not None:
                    with bound_contextvars(run_id=run.run_id):
                        was_clean = self._run(run, slot, claimed_at)
                    look_until = time.monotonic() + _BLIND_S if was_clean else 0.0
                elif not self._one_comes(look_until):
                    break
        except StoreUnavailableError as error:
            # The reconciler publishes the job again once the database is back.
            _log.warning("the database cannot be used; nothing is claimed", why=error.outage)
        finally:
            self._free.put(slot)

    def _one_comes(self, look_until: float) -> bool:
        """Look for a job in the time in which no message is received; false after that time, or on a drain."""
        while time.monotonic() < look_until and not self._around.draining.wait(_LOOK_EVERY_S):
            if self._around.store.waiting_job(self.capabilities) is not None:
                return True
        return False

    def _run(self, run: ClaimedRun, slot: Slot, claimed_at: float) -> bool:
        """Supervise a run to its end; returns whether its runner is clean."""
        for job in run.jobs:
            _log.info("claimed", job_id=job.id, attempt=job.attempt, slot=slot.index, device=slot.device)
        try:
            runner = self._runners.take(slot.index, run.jobs[0].tenant)
        except OSError as error:
            self._lose(run.run_id, run.jobs, _reason(error, f"No runner could be started: {error}"))
            self._rest()
            return False
        supervisor = Supervisor(self._around, run, self.capabilities, slot, runner, claimed_at)
        self._busy[slot.index] = supervisor
        clean = False
        try:
            clean = supervisor.supervise()
        except LeaseLostError as error:
            _log.warning("the run is no longer ours", error=str(error))
        except Exception as error:
            # A bug in the supervisor must cost one run, not the worker.
            _log.exception("the supervisor failed")
            runner.kill()
            said = f"The supervisor failed: {type(error).__name__}: {error}"
            self._lose(run.run_id, supervisor.jobs, _reason(error, said))
        finally:
            del self._busy[slot.index]
            self._runners.give_back(slot.index, runner, clean=clean)
        if not supervisor.started:
            self._rest()
        return clean

    def _rest(self) -> None:
        """Pause after a runner that did not start: a broken node must not take one waiting job after the other."""
        self._around.draining.wait(self._around.settings.reconcile_interval_s)

    def _lose(self, run_id: int, jobs: Sequence[Job], reason: dict[str, Any]) -> None:
        try:
            left = self._around.store.states(run_id)
            ends = [
                Settlement(job_id=job.id, state=JobState.QUEUED, reason=reason, last_reason=reason)
                for job in jobs
                if job.id in left
            ]
            self._around.store.settle(run_id, ends)
        except JobsError:
            # The lease expires, and then the reconciler of any worker frees the jobs.
            _log.exception("could not give the job back")


def _reason(error: Exception, message: str) -> dict[str, Any]:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return make_reason(Reason.DISK_FULL, f"The disk of the worker is full: {error.strerror}.")
    return make_reason(Reason.INTERNAL_ERROR, message)


def register_task(celery: Celery, claimer: Claimer) -> None:
    """Bind the queue's one task to a claimer."""

    @celery.task(name=TASK_NAME)  # type: ignore[untyped-decorator]  # celery ships no annotations
    def work(job_id: str) -> None:
        claimer.work()
