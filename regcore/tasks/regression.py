"""A number for each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from regcore.tasks.base import Task

if TYPE_CHECKING:
    from torch import Tensor


class Regression(Task):
    """A number for each row."""

    kind: ClassVar[str] = "regression"
    summary: ClassVar[str] = "A number for each row."
    losses: ClassVar[tuple[str, ...]] = ("mse", "half_mse", "huber")
    has_numbers: ClassVar[bool] = True

    def row_losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        from torch.nn import functional

        predicted = outputs.squeeze(-1)
        wanted = y.to(predicted.dtype).expand_as(predicted)
        if self.loss == "huber":
            return functional.huber_loss(predicted, wanted, reduction="none", delta=1.0)
        squares = functional.mse_loss(predicted, wanted, reduction="none")
        return squares / 2 if self.loss == "half_mse" else squares
