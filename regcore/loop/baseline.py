"""What always saying the same would give: the largest class with the shares of all, or the mean; of the train split."""

import math
from typing import Any

import torch
from torch import Tensor

from regcore.data.prepare import PreparedData, dtype_of
from regcore.loop.evaluate import Evaluation, predicted_labels, probabilities
from regcore.plan import Plan
from regcore.record import finite_or_null
from regcore.split_metrics import SplitEvaluation
from regcore.tasks import Task


def baseline_of(plan: Plan, data: PreparedData, task: Task) -> dict[str, Any]:
    """The report's `baseline`.

    Returns:
        `{kind: majority_class, label, metrics}` or `{kind: mean, value, metrics}`, with every metric by split.
    """
    said, constant = _constant_of(plan, data, task)
    metrics = {}
    for name in ("train", "validation", "test"):
        split = getattr(data, name)
        if split is None:
            continue
        outputs = constant.to(split.x.device, dtype_of(plan.resolved_spec)).expand(1, len(split), -1)
        per_row = task.row_losses(outputs, split.y.unsqueeze(0)).double()
        evaluation = Evaluation(per_row, outputs.double(), split.y)
        if data.target_scaling is not None:
            scaling = data.target_scaling
            evaluation = Evaluation(
                per_row * scaling.loss_unit, scaling.undone(outputs.double()), scaling.undone(split.y.double())
            )
        values = split_evaluation(evaluation, 0, task).values()
        if "log_loss" in values and math.isinf(values["loss"]):  # a class that the train split lacks
            values["log_loss"] = math.inf
        metrics[name] = finite_or_null(values)
    return {**said, "metrics": metrics}


def _constant_of(plan: Plan, data: PreparedData, task: Task) -> tuple[dict[str, Any], Tensor]:
    """What it says, and the network's outputs that say so, (outputs,)."""
    y = data.train.y
    if not task.has_classes:
        mean = y.double().mean()
        scaling = data.target_scaling
        return {"kind": "mean", "value": float(mean if scaling is None else scaling.undone(mean))}, mean.view(1)
    assert data.classes is not None, "a classification has classes"
    counts = torch.bincount(y, minlength=len(data.classes)).double()
    said = {"kind": "majority_class", "label": data.classes[int(counts.argmax())]}
    chances = (counts / counts.sum()).log()
    return said, chances if plan.num_outputs > 1 else (chances[1] - chances[0]).view(1)


def split_evaluation(evaluation: Evaluation, position: int, task: Task) -> SplitEvaluation:
    """One member's part of an evaluation, on the CPU."""
    outputs = evaluation.outputs[position].cpu()
    return SplitEvaluation(
        per_row_loss=evaluation.losses[position].cpu().numpy(),
        predictions=(predicted_labels(outputs) if task.has_classes else outputs.squeeze(-1)).numpy(),
        targets=evaluation.targets.cpu().numpy(),
        probabilities=probabilities(outputs).numpy() if task.has_classes else None,
    )
