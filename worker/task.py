"""What a hint from the queue does: claim the best job, see it through, and go on while there are more.

The message names a job, but the row decides: whoever claims first runs it, and a message that comes twice,
late or for a job long ended finds nothing to do.
"""

import queue
import time

from celery import Celery
from structlog.contextvars import bound_contextvars

from jobs.errors import JobsError, StoreUnavailableError
from jobs.logs import get_logger
from jobs.model import Capabilities, Job
from jobs.queue import TASK_NAME
from jobs.states import Reason, make_reason
from worker.devices import Slot
from worker.spare import WarmRunners
from worker.supervisor import LeaseLostError, Supervisor, Surroundings

_log = get_logger(__name__)


class Claimer:
    """Claims jobs for free slots and supervises them; called from Celery's threads.

    Args:
        worker_id: Who claims.
        surroundings: Shared with every supervisor.
        slots: As many as there are threads.
        runners: Warm processes.
    """

    def __init__(
        self,
        worker_id: str,
        surroundings: Surroundings,
        slots: list[Slot],
        runners: WarmRunners,
    ) -> None:
        self._worker_id = worker_id
        self._around = surroundings
        self._runners = runners
        self._free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
        for slot in slots:
            self._free.put(slot)
        self._jobs: dict[int, list[str]] = {slot.index: [] for slot in slots}
        self._slots = slots
        devices = {"cpu"} | {slot.device.split(":")[0] for slot in slots}
        self.capabilities = Capabilities(frozenset(devices), surroundings.settings.pool)

    def occupancy(self) -> list[dict[str, object]]:
        """Each slot as `/v1/workers` shows it."""
        return [{"device": slot.device, "job_ids": list(self._jobs[slot.index])} for slot in self._slots]

    @property
    def is_idle(self) -> bool:
        """Whether a slot has nothing to do."""
        return not self._free.empty()

    def work(self) -> None:
        """Claim and run until there is nothing more for this worker, or it is draining."""
        slot = self._free.get()
        try:
            while not self._around.draining.is_set() and self._work_once(slot):
                pass
        except StoreUnavailableError:
            # The reconciler publishes the job again once the database is back.
            _log.warning("the database does not answer; nothing is claimed")
        finally:
            self._free.put(slot)

    def _work_once(self, slot: Slot) -> bool:
        claimed_at = time.monotonic()
        run = self._around.store.claim(self._worker_id, self.capabilities)
        if run is None:
            return False
        (job,) = run.jobs
        self._jobs[slot.index] = [job.id]
        with bound_contextvars(job_id=job.id, run_id=run.run_id):
            try:
                self._run(run.run_id, job, slot, claimed_at)
            finally:
                self._jobs[slot.index] = []
        return True

    def _run(self, run_id: int, job: Job, slot: Slot, claimed_at: float) -> None:
        _log.info("claimed", attempt=job.attempt, slot=slot.index, device=slot.device)
        try:
            runner = self._runners.take(slot.index, job.tenant)
        except OSError as error:
            self._lose(run_id, job, f"No runner could be started: {error}")
            self._rest()
            return
        supervisor = Supervisor(self._around, run_id, job, slot, runner, claimed_at)
        clean = False
        try:
            clean = supervisor.supervise()
        except LeaseLostError as error:
            _log.warning("the run is no longer ours", error=str(error))
        except Exception as error:
            # A fault of ours in the supervisor must cost one run, not the worker.
            _log.exception("the supervisor failed")
            runner.kill()
            self._lose(run_id, job, f"The supervisor failed: {type(error).__name__}: {error}")
        finally:
            self._runners.give_back(slot.index, runner, clean=clean)
        if not supervisor.started:
            self._rest()

    def _rest(self) -> None:
        """A node whose runners do not come up must not take every job that waits, one after the other."""
        self._around.draining.wait(self._around.settings.reconcile_interval_s)

    def _lose(self, run_id: int, job: Job, message: str) -> None:
        reason = make_reason(Reason.INTERNAL_ERROR, message)
        try:
            self._around.store.lose(run_id, job.id, reason, last_reason=reason)
        except JobsError:
            # Its lease expires, and the reconciler of any worker takes it from there.
            _log.exception("could not give the job back")


def register_task(celery: Celery, claimer: Claimer) -> None:
    """Bind the queue's one task to a claimer."""

    @celery.task(name=TASK_NAME)  # type: ignore[untyped-decorator]  # celery ships no annotations
    def work(job_id: str) -> None:
        claimer.work()
