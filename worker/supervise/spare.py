"""Warm runners: one spare that is ready to train, and those that slots keep after a clean run.

A runner needs a tenth of a second to warm up; a job that finds a warm one starts in milliseconds.
"""

import threading
from collections.abc import Callable

from jobs.logs import get_logger
from worker.supervise.process import RunnerProcess

MAX_RUNS = 50
MAX_IDLE_BYTES = 2 << 30
# A job that has just taken the spare needs the cores now, so the next spare starts this much later.
_REFILL_DELAY_S = 5.0
_log = get_logger(__name__)


class WarmRunners:
    """Hands out a runner for each run, and takes back those that can be used again.

    A runner that has trained for one tenant is never given to another, because its memory may still hold the first
    one's data.

    Args:
        start: Makes a new runner.
    """

    def __init__(self, start: Callable[[], RunnerProcess]) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._used: dict[int, RunnerProcess] = {}
        self._spare: RunnerProcess | None = None
        self._refill: threading.Timer | None = None
        self._closed = False
        self.versions: dict[str, str] = {}

    def fill(self) -> None:
        """Start the spare unless there is one, and return while it warms up."""
        with self._lock:
            if self._closed or (self._spare is not None and self._spare.returncode is None):
                return
            dead, self._spare = self._spare, self._start()
        if dead is not None:
            dead.close()

    def take(self, slot: int, tenant: str) -> RunnerProcess:
        """The slot's own runner if it served this tenant last, else the spare, else a new one.

        The runner may not exist yet, while the template imports torch. Commands to it wait here, and its supervisor
        keeps the lease meanwhile.
        """
        runner = self._own(slot, tenant) or self._pop_spare() or self._start()
        runner.tenant = tenant
        self._refill_later()
        return runner

    def give_back(self, slot: int, runner: RunnerProcess, *, clean: bool) -> None:
        """Keep a runner for the slot's next run, or end it after 50 runs, above 2 GiB, or if its run was not clean."""
        runner.num_runs += 1
        self.versions = runner.versions or self.versions
        worn_out = runner.num_runs >= MAX_RUNS or runner.resident_bytes() > MAX_IDLE_BYTES
        with self._lock:
            if clean and not worn_out and not self._closed and runner.returncode is None:
                self._used[slot] = runner
                return
        runner.close()
        self.fill()

    def close(self) -> None:
        """End every idle runner."""
        with self._lock:
            self._closed = True
            idle = [*self._used.values(), *([self._spare] if self._spare else [])]
            self._used.clear()
            self._spare = None
            if self._refill is not None:
                self._refill.cancel()
        for runner in idle:
            runner.close()

    def _own(self, slot: int, tenant: str) -> RunnerProcess | None:
        with self._lock:
            runner = self._used.pop(slot, None)
        if runner is None:
            return None
        if runner.tenant == tenant and runner.returncode is None:
            return runner
        runner.close()
        return None

    def _pop_spare(self) -> RunnerProcess | None:
        with self._lock:
            spare, self._spare = self._spare, None
        if spare is not None and spare.returncode is not None:
            _log.warning("the spare runner had died", exit_status=spare.returncode)
            spare.close()
            return None
        return spare

    def _refill_later(self) -> None:
        with self._lock:
            if self._closed or self._spare is not None:
                return
            if self._refill is not None:
                self._refill.cancel()
            self._refill = threading.Timer(_REFILL_DELAY_S, self.fill)
            self._refill.daemon = True
            self._refill.start()
