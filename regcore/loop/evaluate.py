"""Evaluating a network on a split: evaluation mode, no augmentation, no penalty, true labels."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from numpy.typing import NDArray
from torch import Tensor

from regcore.at import At
from regcore.data.prepare import Split
from regcore.data.preprocessing import TargetScaling
from regcore.layers.forward import Node
from regcore.loop.network import EVAL_CHUNK_ROWS, StackedNetwork
from regcore.scores import classification_scores
from regcore.tasks import Task

OnActivation = Callable[[str, Tensor, Tensor | None], None]
"""Called with the label of a layer with tensors, the output of the non-linearity after it, (K, B, ...), and how many
steps of each row are in use, (K, B) or (1, B), if rows vary."""


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
    task: Task,
    on_activation: OnActivation | None = None,
    *,
    scaling: TargetScaling | None = None,
) -> Evaluation:
    """Evaluate every row of a split once.

    Args:
        network: The network, during or after training.
        split: The split as it is fed to the network.
        task: What outputs mean.
        on_activation: Called with activations; None for no call.
        scaling: The scaling of the split's targets; None if they are in their own unit.
    """
    outputs, per_row = _outputs_and_losses(network, split, task, on_activation)
    if scaling is None:
        return Evaluation(per_row, outputs.double(), split.y)
    return Evaluation(per_row * scaling.loss_unit, scaling.undone(outputs.double()), scaling.undone(split.y.double()))


_EVALUATING: Final = At(0, 1, 1, training=False)


@torch.no_grad()
def _outputs_and_losses(
    network: StackedNetwork, split: Split, task: Task, on_activation: OnActivation | None
) -> tuple[Tensor, Tensor]:
    """(K, N, outputs) and (K, N), in chunks that bound the memory."""
    watched = _fed(network.nodes) if on_activation is not None else {}
    at = replace(_EVALUATING, seeds=network.seeds)
    outputs, losses = [], []
    every = torch.arange(len(split), device=split.x.device)
    for numbers in torch.split(every, max(1, EVAL_CHUNK_ROWS // network.num_members)):
        batch = task.targets(split.fetch(numbers.unsqueeze(0)))
        given, way = network.forward(network.tensors, batch.x, at, batch.lengths, frozenset(watched))
        outputs.append(given)
        losses.append(task.row_losses(given, batch.y).double())
        for label, activations in way.outputs.items():
            assert on_activation is not None, "nothing is watched otherwise"
            on_activation(watched[label], activations, way.output_lengths.get(label))
    return torch.cat(outputs, dim=1), torch.cat(losses, dim=1)


def _fed(nodes: Sequence[Node]) -> dict[str, str]:
    """The layer with tensors before each non-linearity, by the non-linearity's label."""
    found: dict[str, str] = {}
    for node in nodes:
        found |= _fed(node.children)
        if node.fed_by is not None:
            found[node.label] = node.fed_by
    return found


def measure(
    evaluation: Evaluation, task: Task, also: Sequence[Collection[str]] | None = None
) -> list[dict[str, float]]:
    """The metrics of each member: those that every record has, see `Metric.in_every_record`.

    For 32 members and 10,000 rows of ten classes these take a quarter of the time of the outputs themselves. AUROC,
    which sorts, takes seven times as long as these outputs.

    Args:
        evaluation: Of one split.
        task: What outputs mean.
        also: For each member the names of further metrics.
    """
    columns = {"loss": evaluation.losses.mean(1)}
    if task.has_classes:
        is_correct = _is_correct(evaluation.outputs, evaluation.targets).double()
        columns["accuracy"] = is_correct.mean(1)
        columns["balanced_accuracy"] = _mean_recall(is_correct, evaluation.targets)
    else:
        targets = evaluation.targets.double()
        errors = evaluation.outputs.squeeze(-1) - targets
        # R² of equal targets is undefined. Checked by comparing targets, since subtracting a rounded mean leaves some
        # spread.
        spread = (targets - targets.mean()).square().sum() if targets.min() < targets.max() else math.nan
        squares = errors.square()
        columns["r2"] = 1 - squares.sum(1) / spread
        columns["mae"] = errors.abs().mean(1)
        columns["rmse"] = squares.mean(1).sqrt()
    table = [dict(zip(columns, row, strict=True)) for row in torch.stack(list(columns.values())).T.tolist()]
    for k, names in enumerate(also or ()):
        missing = [name for name in names if name not in columns]
        if missing:
            scores = classification_scores(*judged_rows(evaluation, k), missing)
            table[k] |= {name: score.value for name, score in scores.items()}
    return table


def judged_rows(evaluation: Evaluation, position: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Of one member of a classification: true classes (N,), predicted ones (N,), and probabilities (N, classes)."""
    outputs = evaluation.outputs[position].cpu()
    labels = evaluation.targets.cpu().numpy()
    return labels, predicted_labels(outputs).numpy(), probabilities(outputs).numpy()


def _mean_recall(is_correct: Tensor, targets: Tensor) -> Tensor:
    """The mean over the classes that have rows of the share of right ones, (K, N) to (K,).

    Right rows are counted first: a sum of weighted rows would make 0.9999999999999998 of a perfect split.
    """
    counts = targets.bincount()
    num_right = is_correct.new_zeros(len(is_correct), len(counts)).index_add_(1, targets.long(), is_correct)
    return (num_right / counts)[:, counts > 0].mean(1)


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
