"""Stopping jobs: for users, limits and a shutdown; and killing a runner that does not stop."""

import time

from jobs.errors import StoreUnavailableError
from jobs.logs import get_logger
from jobs.states import JobState
from worker.protocol import Ended, Leave, Stop
from worker.supervise.live_run import LiveRun
from worker.supervise.member import Member
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
        for member in self._live.active():
            if states.get(member.id) is JobState.CANCELLING:
                self._stop(member, StopCause.CANCEL)
            elif states.get(member.id) is JobState.PAUSING:
                self._stop(member, StopCause.PAUSE)

    def check_limits(self) -> None:
        """Check each job against its limits, and the runner against the time that it may take to start."""
        running_s = time.monotonic() - self._live.started_at
        resident_bytes = self._live.runner.resident_bytes()
        if not self._live.is_started and running_s > WARM_UP_TIMEOUT_S:
            self._kill("it did not come up in time")
        for member in self._live.active():
            member.peak_memory_bytes = max(member.peak_memory_bytes, resident_bytes)
            max_memory_bytes = member.resources["max_memory_bytes"]
            if max_memory_bytes is not None and resident_bytes > max_memory_bytes:
                self._stop(member, StopCause.MAX_MEMORY)
            if member.job.usage["device_s"] + running_s > member.resources["max_runtime_s"]:
                self._stop(member, StopCause.MAX_RUNTIME)

    def let_late_go(self) -> None:
        """Stop waiting for jobs that were asked to leave the pass and did not."""
        for member in self._live.active():
            if member.leave_by is not None and time.monotonic() >= member.leave_by:
                self._let_go(member)

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
        for member in self._live.active():
            member.directory.write_log(f"killed: {why}")
        self._live.runner.kill()

    def _stop(self, member: Member, cause: StopCause) -> None:
        """Ask for the end of one job, once. A cancel, which the user asked for, replaces any other cause."""
        if member.cause is not None and (cause is not StopCause.CANCEL or member.cause is StopCause.CANCEL):
            return
        has_company = len(self._live.run.jobs) > 1 if cause in _LIMITS else len(self._live.active()) > 1
        if not has_company:
            self._stop_all(cause)
            return
        _log.info("taking a job out of its pass", job_id=member.id, cause=str(cause))
        member.cause = cause
        if cause is StopCause.CANCEL:
            self._live.runner.send(Leave(member.id, None))
            self._let_go(member)  # it has nothing to save
        else:
            member.leave_by = time.monotonic() + self._live.settings.drain_grace_s
            self._live.runner.send(Leave(member.id, str(self._live.checkpoints.apart(member.id))))

    def _let_go(self, member: Member) -> None:
        """End a member here, even if the runner still trains it."""
        self._live.tally()
        member.judge(Ended(member.id, "stopped"), len(self._live.run.jobs))

    def _stop_all(self, cause: StopCause) -> None:
        """Ask the runner to stop."""
        active = [member for member in self._live.active() if member.cause is None or cause is StopCause.CANCEL]
        if not active or (self._is_stopping and cause is not StopCause.CANCEL):
            return
        _log.info("stopping the run", cause=str(cause))
        self._is_stopping = True
        for member in active:
            member.cause = cause
        kill_at = time.monotonic() + self._grace_s(cause)
        self._kill_at = kill_at if self._kill_at is None else min(self._kill_at, kill_at)
        self._live.runner.send(Stop(save=cause.saves))

    def _grace_s(self, cause: StopCause) -> float:
        # a runner that is not born yet has nothing to save
        if cause is StopCause.MAX_MEMORY or self._live.runner.pid is None:
            return 0.0
        return self._live.settings.drain_grace_s if cause.saves else self._live.settings.cancel_grace_s
