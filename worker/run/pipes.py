"""The runner's ends of its two pipes: commands from the supervisor, and events to it.

From the moment that it is forked, a runner reads commands on a thread of its own, also while it warms up.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from regcore.errors import TrainingStopped
from regcore.record import Record, format_time
from worker.protocol import (
    EXIT_LEASE_LOST,
    Accepted,
    Assignment,
    Command,
    Event,
    Judged,
    Leave,
    Measure,
    Renew,
    Run,
    Saved,
    Stop,
    Wrote,
    decode,
    encode,
)

_PROGRESS_INTERVAL_S = 0.5
_log = logging.getLogger("regcore.runner")


class Commands:
    """Reads the pipe on a thread of its own, so that it is heard while the main thread trains."""

    def __init__(self, descriptor: int) -> None:
        self._work: queue.SimpleQueue[Run | Measure] = queue.SimpleQueue()
        self._judged: queue.SimpleQueue[Judged] = queue.SimpleQueue()
        self._leaving: dict[str, Path | None] = {}
        self._stop: Stop | None = None
        self._accepted_step = 0
        self._is_idle = False
        self._deadline: float | None = None
        self._terminated = False
        self._pipe = os.fdopen(descriptor, "rb")
        for target in (self._read, self._watch_lease):
            threading.Thread(target=target, name=target.__name__, daemon=True).start()

    def next_work(self) -> Run | Measure:
        """Wait for the next run, or for the `Measure` that precedes it."""
        self._is_idle = True
        work = self._work.get()
        self._is_idle = False
        return work

    def accepted_step(self) -> int:
        """The newest step whose checkpoint the store has accepted."""
        return self._accepted_step

    def should_stop(self) -> bool:
        """Whether to save a checkpoint and stop. Raises TrainingStopped to stop without one."""
        stop = self._stop
        if stop is not None and not stop.save:
            raise TrainingStopped("training was stopped")
        return stop is not None

    def leaving(self) -> dict[str, Path | None]:
        """The jobs that are to leave the pass, and where each is to be saved."""
        return self._leaving

    def wait_for_judgement(self, epoch: int) -> list[str]:
        """Wait for the decision about a rung: the jobs that stop there."""
        while True:
            judged = self._judged.get()
            if judged.epoch == epoch:
                return judged.fallen

    def run_ended(self) -> None:
        """Forget the lease: an idle runner has none."""
        self._deadline = None

    def is_terminated(self) -> bool:
        """Whether this process is to take no other run."""
        return self._terminated

    def terminate(self) -> None:
        """On a SIGTERM from outside, say a service manager's, give the run back and take no other."""
        if self._is_idle:
            os._exit(0)
        self._terminated = True
        self._stop = Stop(save=True)

    def _read(self) -> None:
        exit_status = 0
        try:
            for line in self._pipe:
                self._obey(decode(line))
        except Exception:
            # Otherwise a runner without a reader would outlive its supervisor.
            _log.exception("a command could not be read")
            exit_status = 1
        # Not sys.exit: the main thread may be in native code, and nobody is left to read its messages.
        os._exit(exit_status)

    def _obey(self, command: Command | Event) -> None:
        match command:
            case Run() as run:
                # Cleared here, in the order of the pipe: a stop that was too late for the last run must not stop this
                # one.
                self._stop = None
                self._leaving = {}
                self._accepted_step = run.accepted_step
                self._begin(run)
            case Measure() as measure:
                self._begin(measure)
            case Renew(lease_until) if self._deadline is not None:
                self._deadline = lease_until
            case Accepted(step):
                self._accepted_step = step
            case Leave(job_id, save_to):
                # A new object, because the training thread may be iterating over the old one.
                self._leaving = {**self._leaving, job_id: None if save_to is None else Path(save_to)}
            case Judged() as judged:
                self._judged.put(judged)
            case Stop() as stop:
                self._stop = stop

    def _begin(self, work: Run | Measure) -> None:
        self._deadline = work.lease_until
        self._work.put(work)

    def _watch_lease(self) -> None:
        while True:
            time.sleep(0.1)
            deadline = self._deadline
            if deadline is not None and time.monotonic() > deadline:
                os._exit(EXIT_LEASE_LOST)


class Events:
    """Writes events to the pipe, and thins out progress to what a person can see."""

    def __init__(self, descriptor: int) -> None:
        self._pipe = os.fdopen(descriptor, "wb", buffering=0)
        self._recorders: dict[str, _Recorder] = {}
        self._have_saved: set[str] = set()

    def send(self, event: Event) -> None:
        """Write one whole event: a single write may take only part of it."""
        line = memoryview(encode(event))
        while line:
            line = line[self._pipe.write(line) or 0 :]

    def recorder(self, assignment: Assignment) -> Callable[[Record], None]:
        """Called by the training pass with each record of this job."""
        recorder = self._recorders[assignment.job_id] = _Recorder(self.send, self._save, assignment)
        return recorder

    def end_records(self, job_id: str) -> None:
        """Send the newest progress if it was held back, so that a run ends at 100 %."""
        recorder = self._recorders.pop(job_id, None)
        if recorder is not None:
            recorder.flush_progress()

    def _save(self, job_id: str, record: Record) -> None:
        """Report a checkpoint of the pass once the record of its last job has come."""
        self._have_saved.add(job_id)
        if self._have_saved >= self._recorders.keys():
            self.send(Saved(sorted(self._have_saved), record.body, record.at))
            self._have_saved.clear()


class _Recorder:
    """Sends on the records of one job, and writes them into its log."""

    def __init__(
        self, send: Callable[[Event], None], save: Callable[[str, Record], None], assignment: Assignment
    ) -> None:
        self._send = send
        self._save = save
        self._job_id = assignment.job_id
        self._log_path = assignment.log
        self._held: Wrote | None = None
        self._progress_at = -_PROGRESS_INTERVAL_S

    def __call__(self, record: Record) -> None:
        wrote = Wrote(self._job_id, record.kind, record.body, record.at)
        match record.kind:
            case "progress":
                self._progress(wrote)
                return
            case "log":  # the supervisor finds it in the log
                self._write_log("INFO", record.body["message"])
                return
            case "metrics":
                self._write_log("INFO", _metrics_line(record.body))
            case "warning":
                self._write_log("WARNING", record.body["message"])
            case "checkpoint":
                self._write_log("INFO", f"saved a checkpoint at step {record.body['step']}")
                if not record.body.get("apart"):
                    self._save(self._job_id, record)
                    return
        self._send(wrote)

    def flush_progress(self) -> None:
        if self._held is not None:
            self._send(self._held)
            self._held = None

    def _progress(self, wrote: Wrote) -> None:
        self._held = wrote
        if time.monotonic() - self._progress_at >= _PROGRESS_INTERVAL_S:
            self._progress_at = time.monotonic()
            self.flush_progress()

    def _write_log(self, level: str, message: str) -> None:
        """One write, so that it does not mix with what native code prints into the same file."""
        with open(self._log_path, "a", buffering=1, encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{format_time(time.time())} {level} {message}\n")


def _metrics_line(body: dict[str, Any]) -> str:
    numbers = " ".join(f"{name} {number:.6g}" for name, number in body["values"].items() if number is not None)
    return f"epoch {body['epoch']} step {body['step']}: {numbers}"
