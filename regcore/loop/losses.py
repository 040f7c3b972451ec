"""Losses per row, from which means, intervals and weightings follow without another computation."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

RowLosses = Callable[[Tensor, Tensor], Tensor]


def row_losses(loss: str, class_weights: Tensor | None = None) -> RowLosses:
    """The loss of each row.

    Args:
        loss: Its name in the spec.
        class_weights: (classes,); each row's loss is multiplied by its class's weight.

    Returns:
        A function of outputs (K, B, outputs) and targets (K, B) or (1, B), giving (K, B).
    """
    compute = _LOSSES[loss]
    if class_weights is None:
        return compute
    return lambda outputs, y: compute(outputs, y) * class_weights[y.long()]


def _cross_entropy(outputs: Tensor, y: Tensor) -> Tensor:
    # Classes are not the last axis: with few classes that is ten times faster, because the kernel then processes many
    # rows at once.
    return functional.cross_entropy(outputs.mT, y.expand(outputs.shape[:2]), reduction="none")


def _flat(outputs: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    predicted = outputs.squeeze(-1)
    return predicted, y.to(predicted.dtype).expand_as(predicted)


def _binary_cross_entropy(outputs: Tensor, y: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(*_flat(outputs, y), reduction="none")


def _mse(outputs: Tensor, y: Tensor) -> Tensor:
    return functional.mse_loss(*_flat(outputs, y), reduction="none")


def _half_mse(outputs: Tensor, y: Tensor) -> Tensor:
    return _mse(outputs, y) / 2


def _huber(outputs: Tensor, y: Tensor) -> Tensor:
    return functional.huber_loss(*_flat(outputs, y), reduction="none", delta=1.0)


_LOSSES: dict[str, RowLosses] = {
    "cross_entropy": _cross_entropy,
    "binary_cross_entropy": _binary_cross_entropy,
    "mse": _mse,
    "half_mse": _half_mse,
    "huber": _huber,
}


def balanced_class_weights(y: Tensor, num_classes: int) -> Tensor:
    """rows / (classes · rows of the class), as scikit-learn's `balanced`; (classes,), float64."""
    counts = torch.bincount(y, minlength=num_classes).double()
    return len(y) / (num_classes * counts.clamp(min=1))
