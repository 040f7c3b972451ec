"""The child process that trains: `python -m worker.runner COMMANDS_FD EVENTS_FD`, started by a supervisor.

It holds no credentials and writes nothing but its run's directory and its pipe. It ends by itself when the
pipe closes (the supervisor died) or when its lease runs out (the supervisor is stopped, or cut off from the
database).
"""

import gc
import logging
import os
import platform
import queue
import resource
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import setproctitle
import torch

from regcore import Record, parse_spec, train
from regcore.errors import OutOfMemoryError, SpecError, TrainingError, TrainingStopped
from worker.protocol import Ended, Event, Ready, Renew, Run, Started, Stop, Wrote, decode, encode

EXIT_LEASE_LOST = 75  # EX_TEMPFAIL of sysexits.h
_PROGRESS_INTERVAL_S = 0.5
_WARM_UP_SPEC = {
    "data": {"kind": "builtin", "name": "digits"},
    "model": {"kind": "mlp", "hidden": [8]},
    "training": {"epochs": 1, "batch_size": 512},
    "resources": {"device": "cpu"},  # An idle spare holds no CUDA context.
}
_log = logging.getLogger("regcore.runner")


class Commands:
    """Reads the pipe on a thread of its own, so that it is heard while the main thread trains."""

    def __init__(self, descriptor: int) -> None:
        self._runs: queue.SimpleQueue[Run] = queue.SimpleQueue()
        self._stop: Stop | None = None
        self._deadline: float | None = None
        self.terminated = False
        self._pipe = os.fdopen(descriptor, "rb")
        for target in (self._read, self._watch_lease):
            threading.Thread(target=target, name=target.__name__, daemon=True).start()

    def next_run(self) -> Run:
        """Wait for the next run."""
        return self._runs.get()

    def should_stop(self) -> bool:
        """Whether to save a checkpoint and stop. Raises TrainingStopped where none is wanted."""
        stop = self._stop
        if stop is not None and not stop.save:
            raise TrainingStopped("training was stopped")
        return stop is not None

    def run_ended(self) -> None:
        """An idle runner has no lease."""
        self._deadline = None

    def terminate(self) -> None:
        """SIGTERM from outside, say a service manager's: give the run back, take no other."""
        if self._deadline is None:
            os._exit(0)
        self.terminated = True
        self._stop = Stop(save=True)

    def _read(self) -> None:
        for line in self._pipe:
            match decode(line):
                case Run() as run:
                    # Cleared here, in the order of the pipe: a stop that came too late for the last run is
                    # not this one's.
                    self._stop = None
                    self._deadline = time.monotonic() + run.lease_s
                    self._runs.put(run)
                case Renew(lease_s) if self._deadline is not None:
                    self._deadline = time.monotonic() + lease_s
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


def main() -> None:
    """Warm up, say so, and train whatever comes until the pipe closes."""
    setproctitle.setproctitle("regcore-runner")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # A core file would hold the user's data.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    commands = Commands(int(sys.argv[1]))
    signal.signal(signal.SIGTERM, lambda *_: commands.terminate())
    events = Events(int(sys.argv[2]))
    warm_up()
    events.send(Ready(versions()))
    while not commands.terminated:
        run = commands.next_run()
        ended = execute(run, commands, events)
        # In this order: the next run may arrive as soon as this one is known to have ended.
        commands.run_ended()
        events.send(ended)


def warm_up() -> None:
    """Train something tiny and save it: whatever is imported or set up on first use is then behind us."""
    with tempfile.TemporaryDirectory(prefix="regcore-warm-up-") as directory:
        train(parse_spec(_WARM_UP_SPEC)).save(Path(directory))


def execute(run: Run, commands: Commands, events: Events) -> Ended:
    """Train one job, with everything that is printed meanwhile in its log."""
    with _output_to(Path(run.directory) / "log.txt"):
        _reset_peak_memory()
        _take_device(run)
        events.send(Started(run.job_id))
        _log.info("torch %s on %s, %d threads, run %d", torch.__version__, run.device, run.num_threads, run.run_id)
        outcome = _outcome(run, commands, events)
        events.flush_progress()
        gc.collect()
    return Ended(run.job_id, peak_memory_bytes=_peak_memory_bytes(), **outcome)


def _take_device(run: Run) -> None:
    torch.set_num_threads(run.num_threads)
    # A job that asks for the CPU leaves the GPU of its slot without a context.
    if run.device != "cpu" and run.spec["resources"]["device"] != "cpu":
        torch.cuda.set_device(run.device)


def _outcome(run: Run, commands: Commands, events: Events) -> dict[str, Any]:
    try:
        result = train(
            parse_spec(run.spec),
            on_record=events.recorder(run.job_id),
            should_stop=commands.should_stop,
            data_dir=Path(run.data_dir),
            resume_from=Path(run.checkpoints),
            max_checkpoint_bytes=run.max_checkpoint_bytes,
        )
        result.save(Path(run.directory))
        _log.info("succeeded")
        return {"outcome": "succeeded", "clean": True, "result": result.summary()}
    except TrainingStopped:
        _log.info("stopped on request")
        return {"outcome": "stopped", "clean": True}
    except TrainingError as error:
        # The user's fault or the machine's, told in a sentence; a traceback would only be in the way.
        _log.error("%s: %s %s", error.code, error.message, error.remedy)
        return {
            "outcome": "failed",
            "clean": not isinstance(error, OutOfMemoryError),
            "reason": error.reason(),
        }
    except MemoryError:
        _log.exception("out of memory")
        exhausted = OutOfMemoryError(
            "The host's memory is exhausted.", remedy="Use a smaller model or batch, or a larger machine."
        )
        return {"outcome": "failed", "clean": False, "reason": exhausted.reason()}
    except SpecError as error:
        # Accepted by the api, refused here: the two are of different versions.
        return _internal_error(f"The worker refuses this spec: {error}")
    except Exception as error:
        _log.exception("internal error")
        return _internal_error(f"Unexpected {type(error).__name__} while training: {error}")


def _internal_error(message: str) -> dict[str, Any]:
    reason = TrainingError(message, remedy="This is a fault of RegCore's: see log.txt, and report it.").reason()
    return {"outcome": "failed", "clean": False, "reason": reason}


def versions() -> dict[str, str]:
    """What a worker says of itself."""
    return {"python": platform.python_version(), "torch": str(torch.__version__)}


def _metrics_line(body: dict[str, Any]) -> str:
    numbers = " ".join(f"{name} {number:.6g}" for name, number in body["values"].items() if number is not None)
    return f"epoch {body['epoch']} step {body['step']}: {numbers}"


@contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Point file descriptors 1 and 2 at a file: native code's messages land there as well as Python's."""
    saved = [os.dup(descriptor) for descriptor in (1, 2)]
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for descriptor in (1, 2):
            os.dup2(log, descriptor)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, original in zip((1, 2), saved, strict=True):
            os.dup2(original, descriptor)
            os.close(original)
        os.close(log)


def _reset_peak_memory() -> None:
    """Let VmHWM start anew, so that a reused runner does not report an earlier job's peak."""
    clear_refs = Path("/proc/self/clear_refs")
    if os.access(clear_refs, os.W_OK):
        clear_refs.write_text("5")


def _peak_memory_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main()
