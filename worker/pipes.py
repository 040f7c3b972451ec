"""The runner's ends of its two pipes: what the supervisor commands, and what it is told.

Imports nothing heavy, so that a runner hears its supervisor from its first moment on.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from regcore.errors import TrainingStopped
from regcore.record import Record
from worker.protocol import Accepted, Event, Renew, Run, Stop, Wrote, decode, encode

EXIT_LEASE_LOST = 75  # EX_TEMPFAIL of sysexits.h
_PROGRESS_INTERVAL_S = 0.5
_log = logging.getLogger("regcore.runner")


class Commands:
    """Reads the pipe on a thread of its own, so that it is heard while the main thread trains."""

    def __init__(self, descriptor: int) -> None:
        self._runs: queue.SimpleQueue[Run] = queue.SimpleQueue()
        self._stop: Stop | None = None
        self._accepted_step = 0
        self._is_idle = False
        self._deadline: float | None = None
        self._terminated = False
        self._pipe = os.fdopen(descriptor, "rb")
        for target in (self._read, self._watch_lease):
            threading.Thread(target=target, name=target.__name__, daemon=True).start()

    def next_run(self) -> Run:
        """Wait for the next run."""
        self._is_idle = True
        run = self._runs.get()
        self._is_idle = False
        return run

    def accepted_step(self) -> int:
        """Up to where the store has taken note of checkpoints."""
        return self._accepted_step

    def should_stop(self) -> bool:
        """Whether to save a checkpoint and stop. Raises TrainingStopped where none is wanted."""
        stop = self._stop
        if stop is not None and not stop.save:
            raise TrainingStopped("training was stopped")
        return stop is not None

    def run_ended(self) -> None:
        """An idle runner has no lease."""
        self._deadline = None

    def is_terminated(self) -> bool:
        """Whether this process is to take no other run."""
        return self._terminated

    def terminate(self) -> None:
        """SIGTERM from outside, say a service manager's: give the run back, take no other."""
        if self._is_idle:
            os._exit(0)
        self._terminated = True
        self._stop = Stop(save=True)

    def _read(self) -> None:
        for line in self._pipe:
            match decode(line):
                case Run() as run:
                    # Cleared here, in the order of the pipe: a stop that came too late for the last run is
                    # not this one's.
                    self._stop = None
                    self._accepted_step = run.accepted_step
                    self._deadline = time.monotonic() + run.lease_s
                    self._runs.put(run)
                case Renew(lease_s) if self._deadline is not None:
                    self._deadline = time.monotonic() + lease_s
                case Accepted(step):
                    self._accepted_step = step
                case Stop() as stop:
                    self._stop = stop
        # Not sys.exit: the main thread may be deep in native code, and nobody is left to read what it would
        # say.
        os._exit(0)

    def _watch_lease(self) -> None:
        while True:
            time.sleep(0.1)
            deadline = self._deadline
            if deadline is not None and time.monotonic() > deadline:
                os._exit(EXIT_LEASE_LOST)


class Events:
    """Writes the pipe; records of progress are thinned to what a person can see."""

    def __init__(self, descriptor: int) -> None:
        self._pipe = os.fdopen(descriptor, "wb", buffering=0)
        self._held: Wrote | None = None
        self._progress_at = -_PROGRESS_INTERVAL_S

    def send(self, event: Event) -> None:
        self._pipe.write(encode(event))

    def recorder(self, job_id: str) -> Callable[[Record], None]:
        """What `train` calls with each record of this job."""
        self._held = None
        self._progress_at = -_PROGRESS_INTERVAL_S

        def write(record: Record) -> None:
            wrote = Wrote(job_id, record.kind, record.body, record.at)
            match record.kind:
                case "progress":
                    self._progress(wrote)
                    return
                case "log":  # the supervisor finds it in the log
                    _log.info("%s", record.body["message"])
                    return
                case "metrics":
                    _log.info("%s", _metrics_line(record.body))
                case "warning":
                    _log.warning("%s", record.body["message"])
                case "checkpoint":
                    _log.info("saved a checkpoint at step %d", record.body["step"])
            self.send(wrote)

        return write

    def flush_progress(self) -> None:
        """Send the newest progress if it was held back: a run ends at 100 %."""
        if self._held is not None:
            self.send(self._held)
            self._held = None

    def _progress(self, wrote: Wrote) -> None:
        self._held = wrote
        if time.monotonic() - self._progress_at >= _PROGRESS_INTERVAL_S:
            self._progress_at = time.monotonic()
            self.flush_progress()


def _metrics_line(body: dict[str, Any]) -> str:
    numbers = " ".join(f"{name} {number:.6g}" for name, number in body["values"].items() if number is not None)
    return f"epoch {body['epoch']} step {body['step']}: {numbers}"
