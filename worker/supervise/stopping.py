"""Stopping jobs: for users, limits and a shutdown; and killing a runner that does not stop."""

import time

from jobs.errors import StoreUnavailableError
from jobs.logs import get_logger
from jobs.states import JobState
from worker.protocol import JobEnded, Leave, Stop
from worker.supervise.live_job import LiveJob
from worker.supervise.live_run import LiveRun
from worker.supervise.outcome import StopCause
from worker.supervise.process import WARM_UP_TIMEOUT_S

_LIMITS = frozenset({StopCause.MAX_MEMORY, StopCause.MAX_RUNTIME})
_log = get_logger(__name__)


class Stopping:
    """Takes jobs out of a pass, or stops the whole pass, and kills what does not stop in time.

    Args:
        live: The run.
    """

    def __init__(self, live: LiveRun) -> None:
        self._live = live
        self._is_stopping = False
        self._kill_at: float | None = None

    def check_requests(self) -> None:
        """Check whether the worker shuts down, or a user wants a job to stop."""
        if self._live.around.draining.is_set():
            self._stop_all(StopCause.DRAIN)
        try:
            # A plain read, which is cheap for the database even three times a second for each run.
            states = self._live.store.states(self._live.run.run_id)
        except StoreUnavailableError as error:
            _log.warning("the database cannot be used; a cancel would be seen later", why=error.outage)
            return
        for job in self._live.active():
            if states.get(job.id) is JobState.CANCELLING:
                self._stop(job, StopCause.CANCEL)
            elif states.get(job.id) is JobState.PAUSING:
                self._stop(job, StopCause.PAUSE)

    def check_limits(self) -> None:
        """Check each job against its limits, and the runner against the time that it may take to start."""
        running_s = time.monotonic() - self._live.started_at
        resident_bytes = self._live.runner.resident_bytes()
        if not self._live.is_started and running_s > WARM_UP_TIMEOUT_S:
            self._kill("it did not come up in time")
        for job in self._live.active():
            job.peak_memory_bytes = max(job.peak_memory_bytes, resident_bytes)
            max_memory_bytes = job.resources["max_memory_bytes"]
            if max_memory_bytes is not None and resident_bytes > max_memory_bytes:
                self._stop(job, StopCause.MAX_MEMORY)
            if job.row.usage["device_s"] + running_s > job.resources["max_runtime_s"]:
                self._stop(job, StopCause.MAX_RUNTIME)

    def let_late_go(self) -> None:
        """Stop waiting for jobs that were asked to leave the pass and did not."""
        for job in self._live.active():
            if job.leave_by is not None and time.monotonic() >= job.leave_by:
                self._let_go(job)

    def expect_end(self) -> None:
        """Wait for the runner to report the end: all jobs have ended, and with them the lease."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._live.settings.cancel_grace_s

    def kill_if_late(self) -> None:
        """Kill a runner that does not stop."""
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            was_born = self._live.runner.pid is not None
            self._kill("it did not stop in time" if was_born else "it had not come up yet")

    def _kill(self, why: str) -> None:
        for job in self._live.active():
            job.directory.write_log(f"killed: {why}")
        self._live.runner.kill()

    def _stop(self, job: LiveJob, cause: StopCause) -> None:
        """Ask for the end of one job, once. A cancel, which the user asked for, replaces any other cause."""
        if job.cause is not None and (cause is not StopCause.CANCEL or job.cause is StopCause.CANCEL):
            return
        has_company = len(self._live.run.jobs) > 1 if cause in _LIMITS else len(self._live.active()) > 1
        if not has_company:
            self._stop_all(cause)
            return
        _log.info("taking a job out of its pass", job_id=job.id, cause=str(cause))
        job.cause = cause
        if cause is StopCause.CANCEL:
            self._live.runner.send(Leave(job.id, None))
            self._let_go(job)  # it has nothing to save
        else:
            job.leave_by = time.monotonic() + self._live.settings.drain_grace_s
            self._live.runner.send(Leave(job.id, str(self._live.checkpoints.apart(job.id))))

    def _let_go(self, job: LiveJob) -> None:
        """End a job here, even if the runner still trains it."""
        self._live.tally()
        job.judge(JobEnded(job.id, "stopped"), len(self._live.run.jobs))

    def _stop_all(self, cause: StopCause) -> None:
        """Ask the runner to stop."""
        active = [job for job in self._live.active() if job.cause is None or cause is StopCause.CANCEL]
        if not active or (self._is_stopping and cause is not StopCause.CANCEL):
            return
        _log.info("stopping the run", cause=str(cause))
        self._is_stopping = True
        for job in active:
            job.cause = cause
        kill_at = time.monotonic() + self._grace_s(cause)
        self._kill_at = kill_at if self._kill_at is None else min(self._kill_at, kill_at)
        self._live.runner.send(Stop(save=cause.saves))

    def _grace_s(self, cause: StopCause) -> float:
        # a runner that is not born yet has nothing to save
        if cause is StopCause.MAX_MEMORY or self._live.runner.pid is None:
            return 0.0
        return self._live.settings.drain_grace_s if cause.saves else self._live.settings.cancel_grace_s
