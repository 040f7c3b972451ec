"""One of several classes for each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from regcore.shapes import RowInfo
from regcore.tasks.base import Task

if TYPE_CHECKING:
    from torch import Tensor


class Classification(Task):
    """One of several classes for each row: logits, or a single logit for two."""

    kind: ClassVar[str] = "classification"
    summary: ClassVar[str] = "One of several classes for each row."
    losses: ClassVar[tuple[str, ...]] = ("cross_entropy", "binary_cross_entropy")
    has_classes: ClassVar[bool] = True

    @classmethod
    def num_outputs(cls, row: RowInfo, num_classes: int, loss: str) -> int:
        return 1 if loss == "binary_cross_entropy" else num_classes

    @classmethod
    def loss_problem(cls, loss: str, num_classes: int) -> str | None:
        if loss != "binary_cross_entropy" or num_classes in (0, 2):
            return None
        return f"task.loss binary_cross_entropy needs two classes; {{name}} has {num_classes}. Use cross_entropy."

    def soft(self, y: Tensor) -> Tensor:
        """The probability of each class, (K, B, classes); for a single logit that of the second class, (K, B)."""
        from torch.nn import functional

        if y.is_floating_point():
            return y
        if self.loss == "binary_cross_entropy":
            return y.double()
        return functional.one_hot(y, self.num_classes).double()

    def row_losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The loss of each row: of soft targets the mean over the classes, each with its own weight."""
        if self.class_weights is not None and y.is_floating_point():
            return self._weighted_soft(outputs, y, self.class_weights.to(outputs))
        losses = self._binary(outputs, y) if self.loss == "binary_cross_entropy" else self._of_logits(outputs, y)
        return losses if self.class_weights is None else losses * self.class_weights[y].to(losses)

    def _of_logits(self, outputs: Tensor, y: Tensor) -> Tensor:
        from torch.nn import functional

        # Classes are not the last axis: with few classes that is ten times faster, because the kernel then processes
        # many rows at once.
        logits = outputs.mT
        if y.is_floating_point():
            return functional.cross_entropy(logits, y.to(outputs).mT.expand_as(logits), reduction="none")
        return functional.cross_entropy(logits, y.expand(outputs.shape[:2]), reduction="none")

    def _binary(self, outputs: Tensor, y: Tensor) -> Tensor:
        from torch.nn import functional

        logits = outputs.squeeze(-1)
        wanted = y.to(logits.dtype).expand_as(logits)
        return functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")

    def _weighted_soft(self, outputs: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        """−Σ w_c y_c log p_c, so that the loss of a mixture of targets is the mixture of their losses."""
        from torch.nn import functional

        if self.loss == "binary_cross_entropy":
            logits, wanted = outputs.squeeze(-1), y.to(outputs)
            against, towards = functional.softplus(logits), functional.softplus(-logits)
            return weights[0] * (1 - wanted) * against + weights[1] * wanted * towards
        return -(weights * y.to(outputs) * outputs.log_softmax(-1)).sum(-1)


def balanced_class_weights(y: Tensor, num_classes: int) -> Tensor:
    """rows / (classes · rows of the class), as scikit-learn's `balanced`; (classes,), float64."""
    import torch

    counts = torch.bincount(y, minlength=num_classes).double()
    return len(y) / (num_classes * counts.clamp(min=1))
