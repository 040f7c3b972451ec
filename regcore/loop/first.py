"""Training what regularizers need before the pass itself: a teacher that is described and not yet a finished job.

It trains in the same process, on the same rows, by a seed of its own, so that it is the same for all members and
whenever the run is begun again. It is kept beside the pass's checkpoints; where it is lost, it is trained again.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import torch

from regcore.data.facts import DataFacts
from regcore.data.prepared import PreparedData, RunSpec, dtype_of
from regcore.data.source import Source
from regcore.errors import TrainingError, TrainingStopped
from regcore.loop.control import Control
from regcore.loop.identity import data_sha256
from regcore.loop.inputs import WEIGHTS
from regcore.loop.newcomer import Checkpoints, Newcomer
from regcore.loop.result import Result
from regcore.plan import Plan
from regcore.record import Record

FOLDER: Final = "trained-first"
"""In the root of the pass's checkpoints."""

Train = Callable[[Newcomer, Control, Source, Checkpoints | None], Result]


def train_first(
    newcomers: Sequence[Newcomer],
    data: PreparedData,
    source: Source,
    control: Control,
    checkpoints: Checkpoints | None,
    train: Train,
    until_loaded: ExitStack,
) -> list[Newcomer]:
    """Train the models that the members' regularizers describe, which are the same for all members.

    Args:
        newcomers: The members.
        data: Their rows.
        source: Where these come from.
        control: The pass's: if it stops, so does this.
        checkpoints: The pass's; None to keep nothing for another start.
        train: Trains one member alone.
        until_loaded: Deletes what is kept for no other start.

    Returns:
        The members, with these models among their inputs.

    Raises:
        TrainingError: One of them ends without a result.
        TrainingStopped: The pass was stopped, or all of its members are to leave.
    """
    plans = newcomers[0].plan.trained_first
    if not plans:
        return list(newcomers)
    root = Path(until_loaded.enter_context(TemporaryDirectory())) if checkpoints is None else checkpoints.root / FOLDER
    rows = _Prepared(source, data, dtype_of(newcomers[0].plan.resolved_spec))
    given: dict[str, Path] = {}
    for name, plan in plans.items():
        folder = root / _digest(plan, data)
        if not folder.exists():
            one = Newcomer(name, plan, data_dir=newcomers[0].data_dir)
            _tell(newcomers, f"{name} is trained first, for {plan.num_epochs} epochs")
            saves = None if checkpoints is None else Checkpoints(folder.with_suffix(".saved"), checkpoints.max_bytes)
            result = _result(name, train, one, _Control(control, newcomers), rows, saves)
            _keep(result, folder)
            if saves is not None:
                shutil.rmtree(saves.root, ignore_errors=True)
            _tell(newcomers, f"{name} is trained: {_score(result)}")
        given[name] = folder / WEIGHTS
    return [replace(newcomer, inputs={**newcomer.inputs, **given}) for newcomer in newcomers]


def _result(
    name: str, train: Train, one: Newcomer, control: Control, source: Source, saves: Checkpoints | None
) -> Result:
    try:
        return train(one, control, source, saves)
    except TrainingStopped:
        raise
    except TrainingError as error:  # of its own kind: what it means for the pass does not depend on who trained
        raise type(error)(
            f"{name}, which is trained first, ends without a result: {error.message}",
            remedy=f"In {name}: {error.remedy}" if error.remedy else "",
            details=error.details,
        ) from error


def _keep(result: Result, folder: Path) -> None:
    """Write it beside its place and then move it there, so that it is whole or absent."""
    part = folder.with_suffix(".writing")
    result.save(part)
    os.replace(part, folder)


def _score(result: Result) -> str:
    shown = {name: value for name, value in result.metrics.items() if name.endswith(("/loss", "/accuracy"))}
    return ", ".join(f"{name} {value:.4g}" for name, value in shown.items() if value is not None)


def _tell(newcomers: Sequence[Newcomer], message: str) -> None:
    for newcomer in newcomers:
        newcomer.on_record(Record("log", {"message": message}))


def _digest(plan: Plan, data: PreparedData) -> str:
    """The name of its folder: another spec or other rows give another model."""
    spec = json.dumps(plan.resolved_spec.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(f"{data_sha256(data)} {spec}".encode()).hexdigest()[:32]


class _Control(Control):
    """The pass's requests, as far as they concern a model that is none of its members."""

    def __init__(self, control: Control, newcomers: Sequence[Newcomer]) -> None:
        self._control = control
        self._keys = {newcomer.key for newcomer in newcomers}

    def should_stop(self) -> bool:
        return self._control.should_stop() or self._keys <= self._control.leaving().keys()


class _Prepared:
    """The pass's rows, of this precision, which are not read again unless the model trains in another."""

    def __init__(self, source: Source, data: PreparedData, dtype: torch.dtype) -> None:
        self._source = source
        self._data = data
        self._dtype = dtype

    def facts(self, spec: Any, /) -> DataFacts:
        return self._source.facts(spec)

    def prepare(self, spec: RunSpec, *, device: torch.device | str = "cpu") -> PreparedData:
        same = dtype_of(spec) == self._dtype
        return self._data if same else self._source.prepare(spec, device=device)
