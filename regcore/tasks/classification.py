"""One of several classes for each row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from regcore.metrics import LOSS, Metric
from regcore.shapes import RowInfo
from regcore.tasks.base import Columns, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from regcore.data.rows import Batch
    from regcore.tasks.scores.split import SplitEvaluation


class Classification(Task):
    """One of several classes for each row: logits, or a single logit for two."""

    kind: ClassVar[str] = "classification"
    summary: ClassVar[str] = "One of several classes for each row."
    losses: ClassVar[tuple[str, ...]] = ("cross_entropy", "binary_cross_entropy")
    metrics: ClassVar[Mapping[str, Metric]] = {
        "loss": LOSS,
        "accuracy": Metric(
            "max",
            "share of rows with the right class",
            "accuracy",
            is_share=True,
            most=1,
            is_row_mean=True,
            in_every_record=True,
            suspicious_from=0.99,
        ),
        "balanced_accuracy": Metric(
            "max",
            "mean over classes of the share of its rows that are recognised",
            "balanced accuracy",
            is_share=True,
            most=1,
            in_every_record=True,
        ),
        "top5_accuracy": Metric(
            "max",
            "share of rows whose class is among the five most likely",
            is_share=True,
            most=1,
            is_row_mean=True,
            min_classes=6,
        ),
        "macro_f1": Metric("max", "mean over classes of F1", is_share=True, most=1),
        "auroc": Metric(
            "max",
            "chance that a row of a class gets a higher probability of it than another row; mean over classes",
            is_share=True,
            most=1,
            min_rows=2,
        ),
        "average_precision": Metric(
            "max",
            "precision, averaged over the rows of the second of two classes, or of each of more",
            is_share=True,
            most=1,
        ),
        "log_loss": Metric("min", "mean of −log of the true class's probability, without weights", is_row_mean=True),
    }
    headlines: ClassVar[tuple[str, ...]] = ("accuracy", "balanced_accuracy")
    has_classes: ClassVar[bool] = True
    constant_answer: ClassVar[str] = "the largest class"
    constant_outputs: ClassVar[str] = "the shares of the classes"

    @classmethod
    def num_outputs(cls, row: RowInfo, num_classes: int, loss: str) -> int:
        return 1 if loss == "binary_cross_entropy" else num_classes

    @classmethod
    def num_kept(cls, num_outputs: int) -> int:
        return num_outputs

    @classmethod
    def loss_problem(cls, loss: str, num_classes: int, *, is_unit: bool = False) -> str | None:
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

    def columns(self, outputs: Tensor, y: Tensor, *, is_final: bool) -> dict[str, Tensor]:
        """Whether the answer is right; the final report, and metrics of rankings, need the outputs too."""
        kept = {"is_right": is_right(outputs, y), "targets": y}
        return kept | ({"outputs": outputs} if is_final else {})

    def measured(self, columns: Columns) -> dict[str, Tensor]:
        hits = columns["is_right"].double()
        return {"accuracy": hits.mean(1), "balanced_accuracy": _mean_recall(hits, columns["targets"][0])}

    def evaluation_of(self, losses: NDArray[Any], columns: Columns, member: int) -> SplitEvaluation:
        from regcore.tasks.scores.classes import num_likelier
        from regcore.tasks.scores.classification import ClassEvaluation

        outputs = columns["outputs"][member].cpu().double()
        targets = columns["targets"][0].cpu().numpy()
        has_best_five = "top5_accuracy" in self.metrics_with(outputs.shape[1])
        return ClassEvaluation(
            losses,
            predictions=predicted_classes(outputs).numpy(),
            targets=targets,
            probabilities=probabilities(outputs).numpy(),
            # By logits: of a very sure network several probabilities are 0, and equal.
            num_likelier=num_likelier(targets, outputs.numpy()) if has_best_five else None,
        )

    @classmethod
    def described(cls, evaluations: Mapping[str, SplitEvaluation], classes: Sequence[str] | None) -> Mapping[str, Any]:
        from regcore.tasks.scores.classification import described_classes

        return described_classes(evaluations, classes or ())

    def constant(
        self, rows: Iterable[Batch], num_outputs: int, classes: Sequence[str] | None
    ) -> tuple[dict[str, Any], Tensor]:
        """The class with the most train rows, with the shares of all classes as probabilities."""
        counts = _count_classes(rows, self.num_classes).double()
        chances = (counts / counts.sum()).log()
        largest = int(counts.argmax())
        said = {"kind": "majority_class", "label": str(largest) if classes is None else classes[largest]}
        return said, chances if num_outputs > 1 else (chances[1] - chances[0]).view(1)

    def answers(self, outputs: Tensor, x: Tensor) -> NDArray[Any]:
        """Class numbers, (N,)."""
        numbers: NDArray[Any] = predicted_classes(outputs).numpy()
        return numbers

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


def balanced_class_weights(rows: Iterable[Batch], num_classes: int) -> Tensor:
    """rows / (classes · rows of the class), as scikit-learn's `balanced`; (classes,), float64."""
    counts = _count_classes(rows, num_classes)
    return int(counts.sum()) / (num_classes * counts.double().clamp(min=1))


def _count_classes(rows: Iterable[Batch], num_classes: int) -> Tensor:
    """Rows of each class, (classes,)."""
    import torch

    counts = torch.zeros(num_classes, dtype=torch.int64)
    for batch in rows:
        counts += batch.y.flatten().bincount(minlength=num_classes).cpu()
    return counts


def predicted_classes(outputs: Tensor) -> Tensor:
    """The most likely class: argmax over logits, or the sign of a single one; (..., outputs) to (...)."""
    return outputs.argmax(-1) if outputs.shape[-1] > 1 else (outputs.squeeze(-1) > 0).long()


def probabilities(outputs: Tensor) -> Tensor:
    """(..., classes); a single logit stands for two classes."""
    import torch

    if outputs.shape[-1] > 1:
        return outputs.softmax(-1)
    positive = outputs.sigmoid()
    return torch.cat([1 - positive, positive], dim=-1)


def is_right(outputs: Tensor, targets: Tensor) -> Tensor:
    """Whether `predicted_classes` of (K, B, outputs) equal the targets (1, B); many times faster if no outputs tie."""
    if outputs.shape[-1] > 1:
        by_class = outputs.mT.contiguous()
        highest = by_class.amax(1, keepdim=True)
        if (by_class == highest).sum() == highest.numel():
            at_target = by_class.gather(1, targets.long().unsqueeze(1).expand(len(outputs), 1, -1))
            return (at_target == highest).squeeze(1)
    return predicted_classes(outputs) == targets


def _mean_recall(hits: Tensor, targets: Tensor) -> Tensor:
    """The mean over the classes that have rows of the share of right ones, (K, N) to (K,).

    Right rows are counted first: a sum of weighted rows would make 0.9999999999999998 of a perfect split.
    """
    counts = targets.bincount()
    num_right = hits.new_zeros(len(hits), len(counts)).index_add_(1, targets.long(), hits)
    return (num_right / counts)[:, counts > 0].mean(1)
