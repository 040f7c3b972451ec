"""`train`: a spec in, a result out."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from regcore.artifacts import weights_sha256
from regcore.data.prepare import PreparedData, prepare
from regcore.errors import InvalidDataError, OutOfMemoryError
from regcore.loop.evaluate import evaluate, measure, predicted_labels, probabilities
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
) -> Result:
    """Train one job spec.

    Args:
        spec: A JobSpec, or the same as JSON.
        on_record: Called with progress, metrics and warnings as they happen.
        should_stop: Asked before every step; true ends the run with TrainingStopped.
        data_dir: Where torchvision data sets lie.

    Raises:
        SpecError: The spec cannot be trained; nothing was computed.
        TrainingError: The run could not go on: diverged, invalid data, out of memory, stopped.
    """
    plan = make_plan(parse_spec(spec))
    tell = on_record or (lambda record: None)
    try:
        with _threads_for(plan):
            return _train(plan, tell, should_stop or (lambda: False), Path(data_dir) if data_dir else None)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemoryError(
            f"memory ran out while training {plan.num_parameters:,} parameters: {error}",
            remedy="Lower training.batch_size or the model's width.",
        ) from error


def _train(
    plan: Plan, on_record: Callable[[Record], None], should_stop: Callable[[], bool], data_dir: Path | None
) -> Result:
    spec = plan.resolved_spec
    device = choose_device(spec.resources.device)
    data = prepare(spec, data_dir, device=device)
    _check_rows(plan, data)
    losses = row_losses(plan.loss, _class_weights(plan, data))
    network = StackedNetwork(
        [plan], dtype=data.train.x.dtype, device=device, autocast=spec.training.precision == "bfloat16"
    )
    trainer = Trainer([plan], network, data, losses, on_record=on_record, should_stop=should_stop)
    trainer.run()
    return _conclude(plan, network, data, losses, trainer)


@contextmanager
def _threads_for(plan: Plan) -> Iterator[None]:
    """One thread for a small network, all that torch has for a large one.

    A step of the article's network takes half a millisecond. A second thread saves a tenth of that on an idle machine,
    and on a busy one its barriers wait for the scheduler: the same run was seen to take eighteen times as long.
    """
    before = torch.get_num_threads()
    small = plan.num_parameters * plan.batch_size < SMALL_STEP_PRODUCTS
    torch.set_num_threads(1 if small else before)
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


def _conclude(plan: Plan, network: StackedNetwork, data: PreparedData, losses: RowLosses, trainer: Trainer) -> Result:
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
