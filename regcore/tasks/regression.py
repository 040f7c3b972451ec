"""A number for each row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from regcore.metrics import LOSS, Metric
from regcore.tasks.base import Columns, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from regcore.data.rows import Batch
    from regcore.tasks.scores.split import SplitEvaluation


class Regression(Task):
    """A number for each row. What is measured and answered is in the target's own unit."""

    kind: ClassVar[str] = "regression"
    summary: ClassVar[str] = "A number for each row."
    losses: ClassVar[tuple[str, ...]] = ("mse", "half_mse", "huber")
    metrics: ClassVar[Mapping[str, Metric]] = {
        "loss": LOSS,
        "r2": Metric(
            "max",
            "share of the target's variance that is explained",
            "R²",
            least=-math.inf,
            most=1,
            in_every_record=True,
            min_rows=2,
            suspicious_from=0.9995,
        ),
        "mae": Metric(
            "min", "mean absolute error, in the target's unit", "mean error", is_row_mean=True, in_every_record=True
        ),
        "rmse": Metric("min", "root of the mean squared error, in the target's unit", in_every_record=True),
    }
    headlines: ClassVar[tuple[str, ...]] = ("r2", "mae")
    row_error: ClassVar[str] = "mae"
    has_numbers: ClassVar[bool] = True
    constant_answer: ClassVar[str] = "the mean"
    constant_outputs: ClassVar[str] = "the mean"

    def row_losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        return element_losses(self.loss, outputs.squeeze(-1), y)

    def columns(self, outputs: Tensor, y: Tensor, *, is_final: bool) -> dict[str, Tensor]:
        """What is predicted and the target, in the target's own unit."""
        return {"predictions": self._in_own_unit(outputs.squeeze(-1)), "targets": self._in_own_unit(y)}

    def measured(self, columns: Columns) -> dict[str, Tensor]:
        targets = columns["targets"][0]
        errors = columns["predictions"] - targets
        # R² of equal targets is undefined. Checked by comparing targets, since subtracting a rounded mean leaves some
        # spread.
        spread = (targets - targets.mean()).square().sum() if targets.min() < targets.max() else math.nan
        squares = errors.square()
        return {"r2": 1 - squares.sum(1) / spread, "mae": errors.abs().mean(1), "rmse": squares.mean(1).sqrt()}

    def evaluation_of(self, losses: NDArray[Any], columns: Columns, member: int) -> SplitEvaluation:
        from regcore.tasks.scores.regression import NumberEvaluation

        return NumberEvaluation(
            losses,
            predictions=columns["predictions"][member].cpu().numpy(),
            targets=columns["targets"][0].cpu().numpy(),
        )

    def constant(
        self, rows: Iterable[Batch], num_outputs: int, classes: Sequence[str] | None
    ) -> tuple[dict[str, Any], Tensor]:
        """The mean of the train rows."""
        import torch

        mean = torch.cat([batch.y[0] for batch in rows]).double().mean()
        return {"kind": "mean", "value": float(self._in_own_unit(mean))}, mean.view(1)

    def answers(self, outputs: Tensor, x: Tensor) -> NDArray[Any]:
        """Values in the target's own unit, (N,)."""
        values: NDArray[Any] = self._in_own_unit(outputs.squeeze(1)).numpy()
        return values

    def _in_own_unit(self, values: Tensor) -> Tensor:
        values = values.double()
        return values if self.target_scaling is None else self.target_scaling.undone(values)


def element_losses(loss: str, outputs: Tensor, y: Tensor) -> Tensor:
    """The loss of each number: `mse`, `half_mse`, or `huber` with δ = 1, in the outputs' dtype and shape."""
    from torch.nn import functional

    wanted = y.to(outputs.dtype).expand_as(outputs)
    if loss == "huber":
        return functional.huber_loss(outputs, wanted, reduction="none", delta=1.0)
    squares = functional.mse_loss(outputs, wanted, reduction="none")
    return squares / 2 if loss == "half_mse" else squares
