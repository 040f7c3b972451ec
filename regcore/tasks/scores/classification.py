"""A classification's split: metrics, the confusion of classes, and calibration."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from regcore.intervals import share_interval, wilson
from regcore.tasks import Classification
from regcore.tasks.scores.classes import class_table, classification_scores
from regcore.tasks.scores.score import Score
from regcore.tasks.scores.split import Interval, SplitEvaluation, resampled_interval

MAX_CONFUSED_CLASSES: Final = 100
"""The most classes of which every pair is counted."""
_NUM_CALIBRATION_BINS: Final = 15


@dataclass(frozen=True, eq=False)
class ClassEvaluation(SplitEvaluation):
    """A split of a classification.

    Attributes:
        predictions: Class numbers, (N,).
        targets: (N,).
        probabilities: Of each class, (N, classes).
    """

    predictions: NDArray[Any]
    targets: NDArray[Any]
    probabilities: NDArray[Any]

    @property
    def names(self) -> Collection[str]:
        return Classification.metrics_with(self.probabilities.shape[1])[1:]

    def scores_of(self, names: Collection[str]) -> dict[str, Score]:
        return classification_scores(self.targets, self.predictions, self.probabilities, names)

    def intervals(self, loss: Interval, seed: int) -> dict[str, Interval]:
        num_rows = len(self.targets)
        counts = np.bincount(self.targets)
        present = counts[counts > 0]
        worth = len(present) ** 2 / float((1 / present).sum())
        found = {}
        for name, score in self.scores.items():
            if name == "log_loss":
                # Without class weights it is the loss, whose resamples are there already.
                is_loss = np.allclose(score.rows, self.per_row_loss)
                found[name] = loss if is_loss else resampled_interval(score.rows, seed)
            elif name in ("accuracy", "top5_accuracy"):
                found[name] = wilson(score.rows.sum(), num_rows)
            else:
                found[name] = share_interval(score.value, score.rows, worth)
        return found

    def rows(self) -> dict[str, NDArray[Any]]:
        """Those of accuracy say whether a row is right, which takes the least room."""
        return super().rows() | {"accuracy": self.predictions == self.targets}

    def confusion(self, num_classes: int) -> NDArray[np.int64]:
        """The rows of each true class that are predicted as each class, (classes, classes)."""
        cells = np.asarray(self.targets, np.int64) * num_classes + np.asarray(self.predictions, np.int64)
        return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)

    def by_class(self, labels: Sequence[str]) -> dict[str, Any]:
        """`{confusion_matrix: {labels, counts} or None, classes: [{label, precision, recall, f1, support, …}]}`."""
        counts = self.confusion(len(labels))
        is_small = len(labels) <= MAX_CONFUSED_CLASSES
        return {
            "confusion_matrix": {"labels": list(labels), "counts": counts.tolist()} if is_small else None,
            "classes": class_table(counts, labels),
        }


def described_classes(evaluations: Mapping[str, SplitEvaluation], classes: Sequence[str]) -> dict[str, Any]:
    """What a report has of a classification alone: by class and split, and its calibration."""
    splits = {name: split for name, split in evaluations.items() if isinstance(split, ClassEvaluation)}
    found = {name: split.by_class(classes) for name, split in splits.items()} if classes else {}
    return {
        "positive_class": classes[1] if len(classes) == 2 else None,
        "confusion_matrix": {name: one["confusion_matrix"] for name, one in found.items()},
        "classes": {name: one["classes"] for name, one in found.items()},
        "calibration": _calibration(splits),
    }


def _calibration(evaluations: Mapping[str, ClassEvaluation]) -> dict[str, Any] | None:
    """Expected calibration error on the split that training used least.

    Σ_bins (rows in bin / rows) · |accuracy − mean confidence|, over bins of equal width.

    Not by torchmetrics, whose import takes 2.3 s, two fifths of a runner's start.

    Source: Naeini, Cooper & Hauskrecht 2015, Obtaining Well Calibrated Probabilities Using Bayesian Binning.
    """
    split = next((name for name in ("test", "validation", "train") if name in evaluations), None)
    if split is None:
        return None
    probabilities = np.asarray(evaluations[split].probabilities)
    if not np.isfinite(probabilities).all():
        return {"split": split, "ece": None}
    confidence = probabilities.max(1)
    surplus = (probabilities.argmax(1) == evaluations[split].targets) - confidence
    bins = np.minimum((confidence * _NUM_CALIBRATION_BINS).astype(int), _NUM_CALIBRATION_BINS - 1)
    return {"split": split, "ece": float(np.abs(np.bincount(bins, surplus)).sum() / len(confidence))}
