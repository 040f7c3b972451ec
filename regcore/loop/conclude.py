"""From trained weights to a result: the last evaluation of every split, and everything else about the run."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from regcore.artifacts import weights_sha256
from regcore.data.prepared import PreparedData
from regcore.diagnosis import diagnose
from regcore.loop.constant_units import ConstantUnits
from regcore.loop.convex import Optimality, optimality
from regcore.loop.evaluate import evaluate, measure, member_evaluation
from regcore.loop.member import Member
from regcore.loop.network import StackedNetwork
from regcore.loop.result import Result
from regcore.plan import Plan
from regcore.record import finite_or_null
from regcore.report import RegularizerEffect, l1_norm, l2_norm, make_report
from regcore.tasks import Task
from regcore.tasks.scores.by_group import by_group
from regcore.tasks.scores.split import SplitEvaluation
from regcore.tasks.scores.worst_rows import worst_rows


def conclude(
    members: Sequence[Member],
    network: StackedNetwork,
    data: PreparedData,
    task: Task,
    *,
    is_exact: bool,
    baseline: Callable[[StackedNetwork], Mapping[str, Any] | None],
    companions: Sequence[str] = (),
) -> list[Result]:
    """The result of each member, in the order of the stack.

    Args:
        members: Those that have ended.
        network: A network of these members only, with their selected weights.
        data: The splits.
        task: What outputs mean.
        is_exact: Whether an uninterrupted run gives the same bits.
        baseline: Gives the report's `baseline`, which is the same for all members of a pass.
        companions: Keys of all members of the training pass, their own included.
    """
    units = ConstantUnits()
    evaluations, metrics = _evaluate(network, data, task, units)
    plain = baseline(network)
    optima = optimality([member.plan for member in members], network, data, task)
    return [
        _conclude(
            member,
            network,
            position,
            data,
            evaluations[position],
            metrics[position],
            units.count(position),
            optima[position],
            plain,
            task,
            is_exact=is_exact,
            fused_with=[key for key in companions if key != member.key],
        )
        for position, member in enumerate(members)
    ]


def _evaluate(
    network: StackedNetwork, data: PreparedData, task: Task, units: ConstantUnits
) -> tuple[list[dict[str, SplitEvaluation]], list[dict[str, float]]]:
    """Each member's evaluation of each split, by row and in total."""
    evaluations: list[dict[str, SplitEvaluation]] = [{} for _ in network.seeds]
    metrics: list[dict[str, float]] = [{} for _ in network.seeds]
    for name in ("train", "validation", "test"):
        split = getattr(data, name)
        if split is None:
            continue
        look = units.look if name == "train" else None
        evaluation = evaluate(network, split, task, look, is_final=True)
        for k, measured in enumerate(measure(evaluation, task)):
            evaluations[k][name] = member_evaluation(evaluation, task, k)
            # Those that the records have too are the same to the last digit.
            values = evaluations[k][name].values() | measured
            metrics[k] |= {f"{name}/{key}": value for key, value in values.items()}
    return evaluations, metrics


def _conclude(
    member: Member,
    network: StackedNetwork,
    position: int,
    data: PreparedData,
    evaluations: Mapping[str, SplitEvaluation],
    metrics: Mapping[str, float],
    dead_units: Mapping[str, int],
    optimum: Optimality,
    baseline: Mapping[str, Any] | None,
    task: Task,
    *,
    is_exact: bool,
    fused_with: list[str],
) -> Result:
    plan, state, model = member.plan, network.member_state(position), network.module(position)
    (selected,) = (row["values"] for row in member.history if row["epoch"] == member.selected_epoch)
    report = make_report(
        evaluations=evaluations,
        history=member.history,
        parameters={parameter.name: state[parameter.name] for parameter in plan.parameters},
        regularizers=_regularizer_effects(plan, selected, state),
        data_loss=selected["objective/data"] or 0.0,
        dead_units=dead_units,
        described=_described(evaluations, data, task),
        baseline=baseline,
    )
    report["diagnosis"] = diagnose(
        report,
        plan.resolved_spec,
        num_rows=plan.num_rows.model_dump(),
        num_steps=plan.num_steps,
        selected_epoch=member.selected_epoch,
        findings=data.doubts,
    )
    return Result(
        plan=plan,
        data=data,
        model=model,
        history=member.history,
        metrics=finite_or_null(metrics),
        selected_epoch=member.selected_epoch,
        generalization_gap=_generalization_gap(metrics),
        sparsity=report["sparsity"]["overall"],
        norms=_norms(plan, state),
        kkt_residual=optimum.kkt_residual,
        l1_max=optimum.l1_max,
        weights_sha256=weights_sha256(model.state_dict()),
        is_exact=is_exact,
        fused_with=fused_with,
        rows=_rows(evaluations),
        report=report,
    )


def _described(evaluations: Mapping[str, SplitEvaluation], data: PreparedData, task: Task) -> dict[str, Any]:
    """What the report says of classes, groups and single rows."""
    return {
        **task.described(evaluations, data.classes),
        "groups": by_group(evaluations, task.metrics, data.groups),
        "worst_rows": worst_rows(evaluations, task.row_error, data.row_numbers(), data.classes, data.files),
    }


def _norms(plan: Plan, state: Mapping[str, Tensor]) -> dict[str, float | None]:
    """Those of all learned tensors of two or more dimensions together."""
    learned = {parameter.name for parameter in plan.parameters}
    weights = [tensor for name, tensor in state.items() if name in learned and tensor.dim() > 1]
    return finite_or_null({"l1": l1_norm(weights), "l2": l2_norm(weights)})


def _rows(evaluations: Mapping[str, SplitEvaluation]) -> dict[str, NDArray[Any]]:
    """What each row adds to each metric, to compare jobs row by row. float32 is enough to measure noise."""
    with np.errstate(over="ignore", invalid="ignore"):  # the noise of a loss of 1e200 cannot be measured
        return {
            f"{name}/{metric}": column if column.dtype == np.bool_ else column.astype(np.float32)
            for name, split in evaluations.items()
            for metric, column in split.rows().items()
        }


def _generalization_gap(metrics: Mapping[str, float]) -> float | None:
    gap = metrics.get("test/loss", math.nan) - metrics["train/loss"]
    return gap if math.isfinite(gap) else None


def _regularizer_effects(
    plan: Plan, selected: Mapping[str, Any], state: Mapping[str, Tensor]
) -> list[RegularizerEffect]:
    """What each regularizer did, by the metrics of the selected epoch and the finished tensors."""
    infos = {tensor.name: tensor for tensor in plan.tensors()}
    remarks = [
        regularizer.remark([infos[name] for name in planned.parameters], state)
        for regularizer, planned in zip(plan.resolved_spec.regularizers, plan.regularizers, strict=True)
    ]
    return [
        RegularizerEffect(
            kind=planned.kind,
            touched=planned.parameters,
            penalty=selected.get(f"objective/penalty.{planned.name}"),
            note=planned.note if remark is None else f"{planned.note} {remark}",
        )
        for planned, remark in zip(plan.regularizers, remarks, strict=True)
    ]
