"""What a runner does with a run: train it, with everything that is said meanwhile in its log.

The only module of the worker that imports torch.
"""

import gc
import logging
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from regcore import Record, Result, parse_spec, train
from regcore.errors import CheckpointError, OutOfMemoryError, SpecError, TrainingError, TrainingStopped
from worker.pipes import Commands, Events
from worker.protocol import Ended, Run, Started

_WARM_UP_SPEC = {
    "data": {"kind": "builtin", "name": "digits"},
    "model": {"kind": "mlp", "hidden": [8]},
    "training": {"epochs": 1, "batch_size": 512},
    "resources": {"device": "cpu"},  # An idle spare holds no CUDA context.
}
_log = logging.getLogger("regcore.runner")


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
        result = _train(run, commands, events)
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


def _train(run: Run, commands: Commands, events: Events) -> Result:
    record = events.recorder(run.job_id)
    work = partial(
        train,
        parse_spec(run.spec),
        on_record=record,
        should_stop=commands.should_stop,
        data_dir=Path(run.data_dir),
        resume_from=Path(run.checkpoints),
        max_checkpoint_bytes=run.max_checkpoint_bytes,
        accepted_step=commands.accepted_step,
    )
    try:
        return work()
    except CheckpointError as error:
        # The data or the meaning of the spec have changed meanwhile: that costs the steps so far, and not the job.
        message = f"The job begins anew: {error.message}."
        record(Record("warning", {"code": "checkpoint_refused", "message": message}))
        shutil.rmtree(run.checkpoints)
        return work()


def _internal_error(message: str) -> dict[str, Any]:
    reason = TrainingError(message, remedy="This is a fault of RegCore's: see log.txt, and report it.").reason()
    return {"outcome": "failed", "clean": False, "reason": reason}


def versions() -> dict[str, str]:
    """What a worker says of itself."""
    return {"python": platform.python_version(), "torch": str(torch.__version__)}


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
