"""How a runner trains a run, with everything that is printed meanwhile in its log.

The only module of the worker that imports torch.
"""

import logging
import os
import platform
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch

from jobs.states import Reason, make_reason
from regcore import Record, Result, make_plan, parse_spec, train
from regcore.data.source import KnownSource, Source, TableSource
from regcore.data.tables.table import read_table
from regcore.errors import (
    CheckpointError,
    ComputationError,
    InvalidDataError,
    OutOfMemoryError,
    SpecError,
    TrainingError,
    TrainingHalved,
    TrainingStopped,
)
from regcore.loop.computing import computing, is_disk_full
from regcore.loop.control import Control, Rungs
from regcore.loop.fitting import fitting_size, room_bytes
from regcore.loop.group import Checkpoints, Newcomer, train_group
from regcore.record import finite_or_null
from worker.protocol import Assignment, Capacity, Finished, JobEnded, Judging, Measure, Run, Started
from worker.run.memory import give_memory_back, peak_memory_bytes, reset_peak_memory
from worker.run.pipes import Commands, Events

_WARM_UP_SPEC = {
    "data": {"kind": "builtin", "name": "digits"},
    "model": {"kind": "mlp", "hidden": [8]},
    "training": {"epochs": 1, "batch_size": 512},
    "resources": {"device": "cpu"},  # Not CUDA: an idle spare must hold no context on a GPU.
}
_log = logging.getLogger("regcore.runner")
Outcome = Literal["succeeded", "stopped", "halved", "failed"]


def warm_up() -> None:
    """Train something tiny, so that everything is imported and set up before the first job."""
    train(parse_spec(_WARM_UP_SPEC))


def find_capacity(asked: Measure) -> Capacity:
    """Return how many members like this one to train in one pass: 1 if it cannot be measured."""
    _take_device(asked)
    try:
        source = _open_source(asked)
        plan = make_plan(asked.spec, facts_of=source.facts)
        with computing("timing a step"):
            size = fitting_size(plan, asked.num_members, source=source)
        return Capacity(size, room_bytes(plan))
    except (TrainingError, SpecError, MemoryError, RuntimeError):
        # The run itself will fail in the same way, and report it.
        _log.exception("no size could be found")
        return Capacity(1, 0)


def execute(run: Run, commands: Commands, events: Events) -> Finished:
    """Train the jobs of a run, with everything that is printed meanwhile in its log."""
    with _output_to(Path(run.output)):
        reset_peak_memory()
        _take_device(run)
        events.send(Started(run.run_id))
        _log.info("torch %s on %s, %d threads, run %d", torch.__version__, run.device, run.num_threads, run.run_id)
        clean = _Pass(run, commands, events).run()
        peak_bytes = peak_memory_bytes()
        give_memory_back()
    return Finished(clean, peak_bytes)


def _open_source(work: Run | Measure) -> Source:
    """Where the rows come from. Raises InvalidDataError."""
    data = (work.spec if isinstance(work, Measure) else work.assignments[0].spec)["data"]
    if work.table is None:
        _read_own_table.cache_clear()
        return KnownSource(Path(work.data_dir))
    return _read_own_table(work.table, data["id"])


@lru_cache(maxsize=1)  # a table is asked for its fitting size and then trained on, often by run after run
def _read_own_table(path: str, name: str) -> Source:
    table = Path(path)
    return TableSource(read_table(table), name, identity=table.name, rows_dir=table.parent.with_name("rows"))


def _take_device(work: Run | Measure) -> None:
    torch.set_num_threads(work.num_threads)
    spec = work.spec if isinstance(work, Measure) else work.assignments[0].spec
    # A job on the CPU must not make a context on its slot's GPU.
    if work.device != "cpu" and spec["resources"]["device"] != "cpu":
        torch.cuda.set_device(work.device)


class _Supervision(Control):
    """Passes the training pass's questions on to the supervisor."""

    def __init__(self, run: Run, commands: Commands, events: Events) -> None:
        self._assignments = {assignment.key: assignment for assignment in run.assignments}
        self._keys = {assignment.job_id: assignment.key for assignment in run.assignments}
        self._commands = commands
        self._events = events

    def should_stop(self) -> bool:
        return self._commands.should_stop()

    def leaving(self) -> Mapping[str, Path | None]:
        return {self._keys[job_id]: root for job_id, root in self._commands.leaving().items()}

    def accepted_step(self) -> int:
        return self._commands.accepted_step()

    def rungs(self, key: str) -> Rungs:
        assignment = self._assignments[key]
        return Rungs(frozenset(assignment.rungs), assignment.rung_metric)

    def judge(self, epoch: int, values: Mapping[str, float]) -> Collection[str]:
        by_job = {self._assignments[key].job_id: value for key, value in values.items()}
        self._events.send(Judging(epoch, finite_or_null(by_job)))
        return [self._keys[job_id] for job_id in self._commands.wait_for_judgement(epoch)]


class _Pass:
    """One training pass, and the reports about each of its jobs."""

    def __init__(self, run: Run, commands: Commands, events: Events) -> None:
        self._run = run
        self._events = events
        self._supervision = _Supervision(run, commands, events)
        self._assignments = {assignment.key: assignment for assignment in run.assignments}
        self._recorders = {assignment.key: events.recorder(assignment) for assignment in run.assignments}

    def run(self) -> bool:
        """Train, and report how each job ended; returns whether this process can be used again."""
        try:
            try:
                self._train()
            except CheckpointError as error:
                # The data or the meaning of the spec has changed since the checkpoint: begin anew, instead of failing
                # the job.
                message = f"The job begins anew: {error.message}."
                self._warn("checkpoint_refused", message)
                shutil.rmtree(self._run.checkpoints)
                self._train()
        except TrainingStopped:
            _log.info("stopped on request")
            self._end_all("stopped")
        except ComputationError as error:
            _log.exception("internal error")
            self._end_all("failed", error.reason())
            return False
        except TrainingError as error:
            # The fault of the user or the machine, explained in a sentence; a traceback would not help.
            _log.error("%s: %s %s", error.code, error.message, error.remedy)
            self._end_all("failed", error.reason())
            return not isinstance(error, OutOfMemoryError)
        except MemoryError:
            _log.exception("out of memory")
            exhausted = OutOfMemoryError(
                "The host's memory is exhausted.", remedy="Use a smaller model or batch, or a larger machine."
            )
            self._end_all("failed", exhausted.reason())
            return False
        except SpecError as error:
            self._end_all("failed", self._refusal(error))
            return False
        except Exception as error:
            _log.exception("internal error")
            message = f"Unexpected {type(error).__name__} while training: {error}"
            self._end_all("failed", make_reason(Reason.DISK_FULL) if is_disk_full(error) else _internal_error(message))
            return False
        return True

    def _train(self) -> None:
        source = _open_source(self._run)
        checkpoints = Checkpoints(Path(self._run.checkpoints), self._run.max_checkpoint_bytes)
        self._tell_if_none_can_be_read(checkpoints)
        ended = train_group(
            [self._newcomer(assignment, source) for assignment in self._assignments.values()],
            control=self._supervision,
            source=source,
            checkpoints=checkpoints,
            companions=self._run.companions,
        )
        for key, outcome in ended:
            if isinstance(outcome, Result):
                self._succeed(key, outcome)
            else:
                self._fail(key, outcome)

    def _tell_if_none_can_be_read(self, checkpoints: Checkpoints) -> None:
        """Warn of a start from scratch: the checkpoints are damaged, or another version of RegCore wrote them."""
        newest = checkpoints.newest
        if newest.state is None and newest.unreadable:
            message = f"The job begins anew: none of its checkpoints can be read. {'; '.join(newest.unreadable)}."
            self._warn("checkpoint_refused", message)

    def _newcomer(self, assignment: Assignment, source: Source) -> Newcomer:
        """A member of the pass. It is planned again, in half a millisecond: from its rows, which alone decide, and by
        this version of the engine, which need not be the api's. The rows themselves were found when they were opened.
        """
        inputs = {name: Path(file) for name, file in assignment.inputs.items()}
        plan = make_plan(assignment.spec, facts_of=source.facts)
        return Newcomer(assignment.key, plan, self._recorders[assignment.key], inputs, Path(self._run.data_dir))

    def _succeed(self, key: str, result: Result) -> None:
        try:
            with computing("writing the artifacts"):
                result.save(Path(self._assignments[key].directory))
        except ComputationError as error:
            _log.exception("internal error")
            self._fail(key, error)
            return
        self._recorders[key](Record("log", {"message": "succeeded"}))
        self._end(key, "succeeded", result=result.summary())

    def _fail(self, key: str, error: TrainingError) -> None:
        self._recorders[key](Record("log", {"message": f"{error.code}: {error.message}"}))
        if isinstance(error, TrainingStopped):
            is_halved = isinstance(error, TrainingHalved)
            self._end(key, "halved" if is_halved else "stopped", reason=error.reason() if is_halved else None)
        else:
            self._end(key, "failed", reason=error.reason())

    def _end(self, key: str, outcome: Outcome, **more: Any) -> None:
        job_id = self._assignments.pop(key).job_id
        self._events.end_records(job_id)
        self._events.send(JobEnded(job_id, outcome, **more))

    def _end_all(self, outcome: Outcome, reason: dict[str, Any] | None = None) -> None:
        for key in list(self._assignments):
            self._end(key, outcome, reason=reason, of_the_pass=reason is not None)

    def _refusal(self, error: SpecError) -> dict[str, Any]:
        """Why a spec that the api accepted is refused here."""
        if self._run.table is None:  # their versions differ
            return _internal_error(f"The worker refuses this spec: {error}")
        # The api knows the facts of the columns, and only who reads the rows knows them all.
        remedy = "Change the data set or the spec so that they fit each other, and submit again."
        return InvalidDataError(f"The rows do not fit the spec. {error}", remedy=remedy).reason()

    def _warn(self, code: str, message: str) -> None:
        for recorder in self._recorders.values():
            recorder(Record("warning", {"code": code, "message": message}))


def _internal_error(message: str) -> dict[str, Any]:
    return TrainingError(message, remedy="This is a fault of RegCore's: see log.txt, and report it.").reason()


def versions() -> dict[str, str]:
    """The versions that a worker reports."""
    return {"python": platform.python_version(), "torch": str(torch.__version__)}


@contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Point file descriptors 1 and 2 at a file, so that messages of native code go there too."""
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
