"""`train`: a spec in, a result out."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from regcore.artifacts import weights_sha256
from regcore.checkpoint import LoadedCheckpoint, State, load_newest, tensor_bytes
from regcore.data.prepare import PreparedData, prepare
from regcore.errors import InvalidDataError, OutOfMemoryError
from regcore.loop.checkpointer import Checkpointer
from regcore.loop.evaluate import evaluate, measure, predicted_labels, probabilities
from regcore.loop.identity import continue_as, identify
from regcore.loop.losses import RowLosses, balanced_class_weights, row_losses
from regcore.loop.network import StackedNetwork
from regcore.loop.result import Result
from regcore.loop.trainer import Trainer
from regcore.plan import Plan, make_plan
from regcore.record import Record, finite_or_null
from regcore.report import RegularizerEffect, SplitEvaluation, count_dead_units, make_report
from regcore.spec import JobSpec, parse_spec

__all__ = ["Result", "train"]

SMALL_STEP_PRODUCTS = 10**8
"""Weights × rows of a batch below which a step is too short to share among threads."""


def train(
    spec: JobSpec | Mapping[str, Any],
    *,
    on_record: Callable[[Record], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    data_dir: Path | str | None = None,
    resume_from: Path | str | None = None,
    max_checkpoint_bytes: int | None = None,
    accepted_step: Callable[[], int] | None = None,
) -> Result:
    """Train one job spec.

    Args:
        spec: A JobSpec, or the same as JSON.
        on_record: Called with progress, metrics, checkpoints and warnings as they happen.
        should_stop: Asked before every step; true ends the run with a checkpoint and TrainingStopped. What it raises
            ends the run without one.
        data_dir: Where torchvision data sets lie.
        resume_from: A directory of this run's checkpoints. Training goes on from the newest that is whole, from the
            beginning where there is none, and saves its own there every `training.checkpoint_every_s`. So the same call
            again, after whatever ended the last one, gives what an uninterrupted one would have given, to the bit.
        max_checkpoint_bytes: What the checkpoints may take on disk together.
        accepted_step: Where somebody else keeps book of the checkpoints: up to which step that has been done. Those
            from there on are kept, however many they are.

    Raises:
        SpecError: The spec cannot be trained; nothing was computed.
        TrainingError: The run could not go on: diverged, invalid data, out of memory, stopped, or a checkpoint of
            another run.
    """
    plan = make_plan(parse_spec(spec))
    tell = on_record or (lambda record: None)
    checkpoints = None
    if resume_from is not None:
        root = Path(resume_from)
        checkpoints = _Checkpoints(root, load_newest(root), max_checkpoint_bytes, accepted_step)
    try:
        with _threads_for(plan, checkpoints):
            return _train(plan, tell, should_stop or (lambda: False), Path(data_dir) if data_dir else None, checkpoints)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"memory ran out while training {plan.num_parameters:,} parameters: {error}",
            remedy="Lower training.batch_size or the model's width.",
        ) from error


@dataclass
class _Checkpoints:
    """Where a run's checkpoints are, and the one that it goes on from."""

    root: Path
    newest: LoadedCheckpoint
    max_bytes: int | None
    accepted_step: Callable[[], int] | None

    @property
    def state(self) -> State | None:
        return self.newest.state

    def forget(self) -> None:
        """Free what was loaded: a resumed run must not need more memory than one that was not interrupted."""
        self.newest = LoadedCheckpoint(self.newest.step, None, [])


def _train(
    plan: Plan,
    on_record: Callable[[Record], None],
    should_stop: Callable[[], bool],
    data_dir: Path | None,
    checkpoints: _Checkpoints | None,
) -> Result:
    spec = plan.resolved_spec
    device = choose_device(spec.resources.device)
    data = prepare(spec, data_dir, device=device)
    _check_rows(plan, data)
    losses = row_losses(plan.loss, _class_weights(plan, data))
    network = StackedNetwork(
        [plan], dtype=data.train.x.dtype, device=device, autocast=spec.training.precision == "bfloat16"
    )
    checkpointer = None
    if checkpoints is not None:
        checkpointer = _checkpointer(plan, network, data, checkpoints, on_record)
    trainer = Trainer(
        [plan], network, data, losses, on_record=on_record, should_stop=should_stop, checkpointer=checkpointer
    )
    if checkpoints is not None and checkpoints.state is not None:
        trainer.resume(checkpoints.newest.step, checkpoints.state["trainer"])
        checkpoints.forget()
        on_record(Record("log", {"message": f"going on from the checkpoint of step {trainer.step}"}))
    trainer.run()
    is_exact = checkpointer is None or checkpointer.is_exact
    return _conclude(plan, network, data, losses, trainer, is_exact=is_exact)


def _checkpointer(
    plan: Plan,
    network: StackedNetwork,
    data: PreparedData,
    checkpoints: _Checkpoints,
    on_record: Callable[[Record], None],
) -> Checkpointer:
    """Raises CheckpointError where the checkpoint to go on from is another run's."""
    for damaged in checkpoints.newest.unreadable:
        message = f"A checkpoint cannot be read and is passed over: {damaged}."
        on_record(Record("warning", {"code": "checkpoint_unreadable", "message": message}))
    identity = identify(plan.resolved_spec, data, network.device)
    if checkpoints.state is not None:
        identity = continue_as(checkpoints.state["identity"], identity)
    return Checkpointer(
        checkpoints.root,
        identity,
        every_s=plan.resolved_spec.training.checkpoint_every_s,
        expected_bytes=3 * tensor_bytes(network.weights),  # a momentum and the selected weights besides
        max_bytes=checkpoints.max_bytes,
        on_record=on_record,
        accepted_step=checkpoints.accepted_step,
    )


def _is_out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Torch says it by type for a GPU, and in words for the host."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


@contextmanager
def _threads_for(plan: Plan, checkpoints: _Checkpoints | None) -> Iterator[None]:
    """One thread for a small network, all that torch has for a large one; as many as before for one that goes on.

    A step of the article's network takes half a millisecond. A second thread saves a tenth of that on an idle machine,
    and on a busy one its barriers wait for the scheduler: the same run was seen to take eighteen times as long. How
    many there are decides the order of sums, and so the last bits.
    """
    before = torch.get_num_threads()
    wanted = 1 if plan.num_parameters * plan.batch_size < SMALL_STEP_PRODUCTS else before
    if checkpoints is not None and checkpoints.state is not None:
        wanted = checkpoints.state["identity"]["environment"]["num_threads"]
    torch.set_num_threads(wanted)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_device(wanted: str) -> torch.device:
    """The device of `resources.device`; `auto` takes a GPU where there is one."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def _check_rows(plan: Plan, data: PreparedData) -> None:
    """The data as loaded are the data that were planned for."""
    if tuple(data.train.x.shape) != (plan.num_rows.train, *plan.input_shape):
        raise InvalidDataError(
            f"expected {plan.num_rows.train} train rows of shape {plan.input_shape}; the files hold "
            f"{tuple(data.train.x.shape)}",
            remedy="Restore the data set's original files in the data directory.",
        )


def _class_weights(plan: Plan, data: PreparedData) -> torch.Tensor | None:
    wanted = plan.resolved_spec.task.class_weights
    if wanted is None:
        return None
    classes = len(plan.classes or ())
    weights = balanced_class_weights(data.train.y, classes) if wanted == "balanced" else torch.tensor(wanted)
    return weights.to(data.train.x)


def _conclude(
    plan: Plan, network: StackedNetwork, data: PreparedData, losses: RowLosses, trainer: Trainer, *, is_exact: bool
) -> Result:
    """Evaluate the selected weights, and say all that is known of them."""
    metrics: dict[str, float] = {}
    evaluations: dict[str, SplitEvaluation] = {}
    for name in ("train", "validation", "test"):
        split = getattr(data, name)
        if split is None:
            continue
        evaluation = evaluate(network, split, losses)
        outputs = evaluation.outputs[0].cpu()
        is_classification = plan.task == "classification"
        evaluations[name] = SplitEvaluation(
            per_row_loss=evaluation.losses[0].cpu().numpy(),
            predictions=(predicted_labels(outputs) if is_classification else outputs.squeeze(-1)).numpy(),
            targets=split.y.cpu().numpy(),
            probabilities=probabilities(outputs).numpy() if is_classification else None,
        )
        metrics |= {f"{name}/{key}": value for key, value in measure(evaluation, plan.loss)[0].items()}
    state = network.member_state(0)
    model = network.module(0)
    history = trainer.history[0]
    report = make_report(
        task=plan.task,
        evaluations=evaluations,
        history=history,
        parameters=state,
        regularizers=_regularizer_effects(plan, history),
        data_loss=history[-1]["values"]["objective/data"] or 0.0,
        dead_units=count_dead_units(model, data.train.x.cpu()),
    )
    return Result(
        plan=plan,
        data=data,
        model=model,
        history=history,
        metrics=finite_or_null(metrics),
        selected_epoch=trainer.selected_epochs[0],
        generalization_gap=_generalization_gap(metrics),
        sparsity=report["sparsity"]["overall"],
        weights_sha256=weights_sha256(state),
        is_exact=is_exact,
        report=report,
    )


def _generalization_gap(metrics: Mapping[str, float]) -> float | None:
    gap = metrics.get("test/loss", math.nan) - metrics["train/loss"]
    return gap if math.isfinite(gap) else None


def _regularizer_effects(plan: Plan, history: list[dict[str, Any]]) -> list[RegularizerEffect]:
    return [
        RegularizerEffect(
            kind=planned.kind,
            touched=planned.parameters,
            penalty=history[-1]["values"].get(f"objective/penalty.{planned.name}"),
            note=planned.note,
        )
        for planned in plan.regularizers
    ]
