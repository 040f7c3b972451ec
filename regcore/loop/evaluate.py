"""Evaluating a network on a split: evaluation mode, no augmentation, no penalty, true labels."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from regcore.data.prepare import Split
from regcore.data.preprocessing import TargetScaling
from regcore.loop.losses import RowLosses
from regcore.loop.network import OnActivation, StackedNetwork


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One split, all members; a regression's numbers are in the target's own unit.

    Attributes:
        losses: Per row, (K, N), float64.
        outputs: The network's outputs, (K, N, outputs), float64.
        targets: (N,).
    """

    losses: Tensor
    outputs: Tensor
    targets: Tensor


def evaluate(
    network: StackedNetwork,
    split: Split,
    losses: RowLosses,
    on_activation: OnActivation | None = None,
    *,
    scaling: TargetScaling | None = None,
) -> Evaluation:
    """Evaluate every row of a split once.

    Args:
        network: The network, during or after training.
        split: The split as it is fed to the network.
        losses: The losses that it is trained on.
        on_activation: Called with activations; None for no call.
        scaling: The scaling of the split's targets; None if they are in their own unit.
    """
    outputs = network.predict(split.x, on_activation).to(split.x.dtype)
    per_row = losses(outputs, split.y.unsqueeze(0)).double()
    if scaling is None:
        return Evaluation(per_row, outputs.double(), split.y)
    return Evaluation(per_row * scaling.loss_unit, scaling.undone(outputs.double()), scaling.undone(split.y.double()))


def measure(evaluation: Evaluation, loss: str) -> list[dict[str, float]]:
    """The metrics of each member: `loss`, and `accuracy`, or `r2` and `mae`."""
    columns = {"loss": evaluation.losses.mean(1)}
    if loss in ("cross_entropy", "binary_cross_entropy"):
        columns["accuracy"] = _is_correct(evaluation.outputs, evaluation.targets).double().mean(1)
    else:
        targets = evaluation.targets.double()
        errors = evaluation.outputs.squeeze(-1) - targets
        # R² of equal targets is undefined. Checked by comparing targets, since subtracting a rounded mean leaves some
        # spread.
        spread = (targets - targets.mean()).square().sum() if targets.min() < targets.max() else math.nan
        columns["r2"] = 1 - errors.square().sum(1) / spread
        columns["mae"] = errors.abs().mean(1)
    table = torch.stack(list(columns.values())).T.tolist()
    return [dict(zip(columns, row, strict=True)) for row in table]


def _is_correct(outputs: Tensor, targets: Tensor) -> Tensor:
    """Whether `predicted_labels` of (K, N, outputs) equal the targets (N,); many times faster if no outputs tie."""
    if outputs.shape[-1] > 1:
        by_class = outputs.mT.contiguous()
        highest = by_class.amax(1, keepdim=True)
        if (by_class == highest).sum() == highest.numel():
            at_target = by_class.gather(1, targets.long().expand(len(outputs), 1, -1))
            return (at_target == highest).squeeze(1)
    return predicted_labels(outputs) == targets


def predicted_labels(outputs: Tensor) -> Tensor:
    """The most likely class: argmax over logits, or the sign of a single one; (..., outputs) to (...)."""
    return outputs.argmax(-1) if outputs.shape[-1] > 1 else (outputs.squeeze(-1) > 0).long()


def probabilities(outputs: Tensor) -> Tensor:
    """(..., classes); a single logit stands for two classes."""
    if outputs.shape[-1] > 1:
        return outputs.softmax(-1)
    positive = outputs.sigmoid()
    return torch.cat([1 - positive, positive], dim=-1)
