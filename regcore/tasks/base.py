"""The base of tasks. What is fixed for a kind is known without torch; losses, measurements and answers need it.

A split is evaluated in chunks of rows: `columns` says what is kept of each row, `measured` makes the recorded metrics
of them, and `evaluation_of` the report of one finished member. So no whole outputs lie in memory unless a task asks for
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from regcore.kinds import PluginError, kinds_of
from regcore.metrics import LOSS, Metric
from regcore.shapes import RowInfo, Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from regcore.data.preprocessing import TargetScaling
    from regcore.data.rows import Batch
    from regcore.tasks.scores.split import SplitEvaluation

Columns: TypeAlias = Mapping[str, "Tensor"]
"""What is kept of each row, by name: (K, N, ...), or (1, N, ...) where it is the same for all members."""


@dataclass(frozen=True, eq=False)
class Task:
    """What a run's network is to do.

    Attributes:
        loss: The name of the loss, one of `losses`.
        num_classes: Of a classification; else 0.
        class_weights: (classes,): each row's loss is multiplied by its class's weight. None for no weights.
        target_scaling: How targets are scaled for training; None if they are in their own unit.
    """

    kind: ClassVar[str]
    summary: ClassVar[str]
    losses: ClassVar[tuple[str, ...]]
    """Names of the losses that it can be trained on; the first is the default."""
    metrics: ClassVar[Mapping[str, Metric]] = {"loss": LOSS}
    """What is measured on each split, by name; a split's is `{split}/{name}`."""
    headlines: ClassVar[tuple[str, ...]] = ()
    """The metrics beside the loss that short displays show, the most telling first."""
    row_error: ClassVar[str] = "loss"
    """The metric by which a row is told as one of the worst; see `Metric.is_row_mean`."""
    has_classes: ClassVar[bool] = False
    has_numbers: ClassVar[bool] = False
    """Whether targets are numbers with a unit, which training may scale."""
    gives_rows: ClassVar[bool] = False
    """Whether outputs are rows, compared with what the network sees; there is no target then."""
    constant_answer: ClassVar[str] = "always the same"
    """What the plainest baseline answers, in words."""
    constant_outputs: ClassVar[str] = "always the same"
    """What it says of every row, in words: a classification's are probabilities."""

    loss: str
    num_classes: int = 0
    class_weights: Tensor | None = None
    target_scaling: TargetScaling | None = None

    @classmethod
    def num_outputs(cls, row: RowInfo, num_classes: int, loss: str) -> int:
        """How many numbers the network gives for a row."""
        return 1

    @classmethod
    def output_shapes(cls, row: RowInfo, num_outputs: int) -> tuple[Shape, ...]:
        """The shapes in which the network may give them."""
        return ((num_outputs,),)

    @classmethod
    def num_kept(cls, num_outputs: int) -> int:
        """Numbers that the last evaluation keeps of each row, beside its loss."""
        return 1

    @classmethod
    def loss_problem(cls, loss: str, num_classes: int, *, is_unit: bool = False) -> str | None:
        """Why this loss does not fit the data; `{name}` stands for them. None if it does.

        Args:
            loss: One of `losses`.
            num_classes: 0 without classes.
            is_unit: Whether every number of a row lies between 0 and 1.
        """
        return None

    @classmethod
    def row_problem(cls, row: RowInfo) -> str | None:
        """Why it cannot be done on such rows; `{name}` stands for the data. None if it can."""
        return None

    @classmethod
    def metrics_with(cls, num_classes: int = 0) -> tuple[str, ...]:
        """The names of the metrics with so many classes; with 0 of all."""
        return tuple(
            name for name, metric in cls.metrics.items() if not num_classes or num_classes >= metric.min_classes
        )

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

    def reported_losses(self, losses: Tensor) -> Tensor:
        """Losses in the unit in which they are reported."""
        return losses if self.target_scaling is None else losses * self.target_scaling.loss_unit

    def columns(self, outputs: Tensor, y: Tensor, *, is_final: bool) -> dict[str, Tensor]:
        """What is kept of each row of a chunk, beside its loss.

        Args:
            outputs: (K, B, ...).
            y: Targets, (1, B, ...).
            is_final: Whether `evaluation_of` is to be asked, not `measured` alone.

        Returns:
            Each (K, B, ...) or (1, B, ...).
        """
        return {}

    def measured(self, columns: Columns) -> dict[str, Tensor]:
        """The metrics that every record has, beside the loss, each (K,) in float64."""
        return {}

    def evaluation_of(self, losses: NDArray[Any], columns: Columns, member: int) -> SplitEvaluation:
        """One member's evaluation of a split, of columns that were kept with `is_final`.

        Args:
            losses: The member's, (N,).
            columns: Of all members.
            member: Its place among them.
        """
        from regcore.tasks.scores.split import SplitEvaluation

        return SplitEvaluation(losses)

    @classmethod
    def described(cls, evaluations: Mapping[str, SplitEvaluation], classes: Sequence[str] | None) -> Mapping[str, Any]:
        """What it adds to a report, by field: `calibration`, and what there is by class."""
        return {"calibration": None}

    def constant(
        self, rows: Iterable[Batch], num_outputs: int, classes: Sequence[str] | None
    ) -> tuple[dict[str, Any], Tensor] | None:
        """What always saying the same would say: the report's `baseline` without metrics, and outputs, (num_outputs,).

        Args:
            rows: Of the train split, after `targets`.
            num_outputs: Of the network.
            classes: Labels in the order of the class numbers; None without classes.

        Returns:
            None if there is nothing plain to say.
        """
        return None

    def answers(self, outputs: Tensor, x: Tensor) -> NDArray[Any]:
        """What a trained network answers.

        Args:
            outputs: (N, num_outputs) or (N, *row), float64, on the CPU.
            x: The rows as the network sees them, (N, *row).

        Returns:
            (N, ...): class numbers, values in the target's own unit, or rows.
        """
        raise NotImplementedError


def known_metrics() -> dict[str, Metric]:
    """The metrics of all tasks, by name.

    Raises:
        PluginError: Two tasks call different metrics the same.
    """
    found: dict[str, Metric] = {}
    for task in kinds_of(Task).values():
        for name, metric in task.metrics.items():
            if found.setdefault(name, metric).mode != metric.mode:
                raise PluginError(f"two tasks have a metric {name!r}, better in other directions. Rename one.")
    return found
