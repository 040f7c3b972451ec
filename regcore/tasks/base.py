"""The base of tasks. What is fixed for a kind is known without torch; the losses need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.data.rows import Batch


@dataclass(frozen=True, eq=False)
class Task:
    """What a run's network is to do.

    Attributes:
        loss: The name of the loss, one of `losses`.
        num_classes: Of a classification; else 0.
        class_weights: (classes,): each row's loss is multiplied by its class's weight. None for no weights.
    """

    kind: ClassVar[str]
    summary: ClassVar[str]
    losses: ClassVar[tuple[str, ...]]
    """Names of the losses that it can be trained on; the first is the default."""
    has_classes: ClassVar[bool] = False
    has_numbers: ClassVar[bool] = False
    """Whether targets are numbers with a unit, which training may scale."""

    loss: str
    num_classes: int = 0
    class_weights: Tensor | None = None

    @classmethod
    def num_outputs(cls, row: RowInfo, num_classes: int, loss: str) -> int:
        """How many numbers the network gives for a row."""
        return 1

    @classmethod
    def loss_problem(cls, loss: str, num_classes: int) -> str | None:
        """Why this loss does not fit so many classes; `{name}` stands for the data. None if it does."""
        return None

    def targets(self, batch: Batch) -> Batch:
        """The batch with what is to be predicted, before anything else is done to its rows."""
        return batch

    def soft(self, y: Tensor) -> Tensor:
        """Targets as numbers that can be averaged: (K, B) of classes becomes (K, B, classes)."""
        return y

    def row_losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The loss of each row.

        Args:
            outputs: (K, B, ...).
            y: Targets, hard or soft, (K, B, ...) or (1, B, ...).

        Returns:
            (K, B), in the outputs' dtype.
        """
        raise NotImplementedError
