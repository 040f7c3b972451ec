"""The row itself: what an autoencoder learns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from regcore.metrics import LOSS, Metric
from regcore.shapes import RowInfo, Shape
from regcore.tasks.base import Columns, Task
from regcore.tasks.regression import element_losses

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from regcore.data.rows import Batch
    from regcore.tasks.scores.split import SplitEvaluation

_LEAST_SHARE: Final = 1e-6
"""Probabilities of the mean row are kept so far from 0 and 1, where a pixel is the same in every train row."""


class Reconstruction(Task):
    """The row itself, as the network sees it before any noise is put on it: standardized, images in [0, 1].

    The loss of a row is the mean over its numbers. With `binary_cross_entropy` outputs are logits of numbers between 0
    and 1. `reconstruction_error` is the mean squared error whatever the loss, so that losses can be compared by it.
    """

    kind: ClassVar[str] = "reconstruction"
    summary: ClassVar[str] = "The row itself: an autoencoder's task."
    losses: ClassVar[tuple[str, ...]] = ("mse", "half_mse", "huber", "binary_cross_entropy")
    metrics: ClassVar[Mapping[str, Metric]] = {
        "loss": LOSS,
        "reconstruction_error": Metric(
            "min",
            "mean over rows of the mean squared error of a row's numbers, as the network sees them",
            "reconstruction error",
            is_row_mean=True,
            in_every_record=True,
        ),
    }
    headlines: ClassVar[tuple[str, ...]] = ("reconstruction_error",)
    row_error: ClassVar[str] = "reconstruction_error"
    gives_rows: ClassVar[bool] = True
    constant_answer: ClassVar[str] = "the mean row"
    constant_outputs: ClassVar[str] = "the mean row"

    @classmethod
    def num_outputs(cls, row: RowInfo, num_classes: int, loss: str) -> int:
        return row.num_values

    @classmethod
    def output_shapes(cls, row: RowInfo, num_outputs: int) -> tuple[Shape, ...]:
        return ((num_outputs,), row.shape)

    @classmethod
    def loss_problem(cls, loss: str, num_classes: int, *, is_unit: bool = False) -> str | None:
        if loss != "binary_cross_entropy" or is_unit:
            return None
        return (
            "task.loss binary_cross_entropy reconstructs numbers between 0 and 1, and those of {name} are not: "
            "images that are not standardized are. Use mse."
        )

    @classmethod
    def row_problem(cls, row: RowInfo) -> str | None:
        if row.tokens is not None:
            return "task.kind reconstruction needs rows of numbers; those of {name} are tokens. Choose another task."
        if row.varies:
            return (
                "task.kind reconstruction needs rows of one length; those of {name} vary in theirs. "
                "Choose another task."
            )
        return None

    def targets(self, batch: Batch) -> Batch:
        return batch.having(y=batch.x)

    def row_losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        from torch.nn import functional

        given, wanted = outputs.flatten(2), y.flatten(2)
        if self.loss == "binary_cross_entropy":
            wanted = wanted.to(given.dtype).expand_as(given)
            return functional.binary_cross_entropy_with_logits(given, wanted, reduction="none").mean(2)
        return element_losses(self.loss, given, wanted).mean(2)

    def columns(self, outputs: Tensor, y: Tensor, *, is_final: bool) -> dict[str, Tensor]:
        """The error of each row: no row itself is kept."""
        return {"errors": row_errors(self._rows(outputs), y)}

    def measured(self, columns: Columns) -> dict[str, Tensor]:
        return {"reconstruction_error": columns["errors"].mean(1)}

    def evaluation_of(self, losses: NDArray[Any], columns: Columns, member: int) -> SplitEvaluation:
        from regcore.tasks.scores.reconstruction import ReconstructionEvaluation

        return ReconstructionEvaluation(losses, errors=columns["errors"][member].cpu().numpy())

    @classmethod
    def described(cls, evaluations: Mapping[str, SplitEvaluation], classes: Sequence[str] | None) -> Mapping[str, Any]:
        from regcore.tasks.scores.reconstruction import described_errors

        return {**super().described(evaluations, classes), "reconstruction_errors": described_errors(evaluations)}

    def constant(
        self, rows: Iterable[Batch], num_outputs: int, classes: Sequence[str] | None
    ) -> tuple[dict[str, Any], Tensor]:
        """The mean of the train rows."""
        import torch

        total, num_rows = torch.zeros(num_outputs, dtype=torch.float64), 0
        for batch in rows:
            total += batch.y[0].flatten(1).double().sum(0).cpu()
            num_rows += batch.y.shape[1]
        mean = total / num_rows
        return {"kind": "mean_row"}, mean.logit(_LEAST_SHARE) if self.loss == "binary_cross_entropy" else mean

    def answers(self, outputs: Tensor, x: Tensor) -> NDArray[Any]:
        """The reconstructed rows, of the shape and in the unit of those that the network sees, (N, *row)."""
        rows: NDArray[Any] = self._rows(outputs).view(x.shape).numpy()
        return rows

    def _rows(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid() if self.loss == "binary_cross_entropy" else outputs


def row_errors(rows: Tensor, wanted: Tensor) -> Tensor:
    """The mean squared error of each row's numbers, (K, B, ...) and (K or 1, B, ...) to (K, B), float64."""
    return (rows.flatten(2) - wanted.flatten(2)).square().mean(2).double()
