"""A classification's split: metrics, the confusion of classes, and calibration."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from regcore.intervals import share_interval, wilson
from regcore.tasks import Classification
from regcore.tasks.scores.classes import classification_scores
from regcore.tasks.scores.confusion import Confusion
from regcore.tasks.scores.score import Score
from regcore.tasks.scores.split import Interval, SplitEvaluation, resampled_interval

MAX_CONFUSED_CLASSES: Final = 100
"""The most classes of which every pair is counted."""
MAX_LISTED_CLASSES: Final = 1000
"""The most classes in the table per class."""
_NUM_CALIBRATION_BINS: Final = 15


@dataclass(frozen=True, eq=False)
class ClassEvaluation(SplitEvaluation):
    """A split of a classification.

    Attributes:
        predictions: Class numbers, (N,).
        targets: (N,).
        probabilities: Of each class, (N, classes).
        num_likelier: How many classes come before the true one, (N,); None to rank by the probabilities.
    """

    predictions: NDArray[Any]
    targets: NDArray[Any]
    probabilities: NDArray[Any]
    num_likelier: NDArray[Any] | None = None

    @property
    def names(self) -> Collection[str]:
        return Classification.metrics_with(self.probabilities.shape[1])[1:]

    def scores_of(self, names: Collection[str]) -> dict[str, Score]:
        return classification_scores(self.targets, self.predictions, self.probabilities, names, self.num_likelier)

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

    def answer(self, place: int, classes: Sequence[str] | None) -> dict[str, Any]:
        target, prediction = int(self.targets[place]), int(self.predictions[place])
        if classes is None:
            return {"target": target, "prediction": prediction}
        return {"target": classes[target], "prediction": classes[prediction]}

    def confusion(self, num_classes: int) -> Confusion:
        """What the rows of each class are taken for."""
        return Confusion.of(self.targets, self.predictions, num_classes)


def described_classes(evaluations: Mapping[str, SplitEvaluation], classes: Sequence[str]) -> dict[str, Any]:
    """What a report has of a classification alone: by class and split, and its calibration.

    Of more than `MAX_CONFUSED_CLASSES` classes only the pairs that are confused the most are given, and of more than
    `MAX_LISTED_CLASSES` only the largest are listed.
    """
    splits = {name: split for name, split in evaluations.items() if isinstance(split, ClassEvaluation)}
    counted = {name: split.confusion(len(classes)) for name, split in splits.items()} if classes else {}
    shown = _largest(counted, len(classes))
    is_small = len(classes) <= MAX_CONFUSED_CLASSES
    return {
        "positive_class": classes[1] if len(classes) == 2 else None,
        "confusion_matrix": {
            name: {"labels": list(classes), "counts": one.matrix()} if is_small else None
            for name, one in counted.items()
        },
        "most_confused": {name: one.most_confused(classes) for name, one in counted.items()},
        "classes": {name: one.table(classes, shown) for name, one in counted.items()},
        "num_classes_left_out": len(classes) - len(shown),
        "calibration": _calibration(splits),
    }


def _largest(counted: Mapping[str, Confusion], num_classes: int) -> list[int]:
    """The classes that are listed, in their order: of very many those with the most rows in all splits together."""
    if num_classes <= MAX_LISTED_CLASSES:
        return list(range(num_classes))
    sizes = sum((one.support for one in counted.values()), np.zeros(num_classes, np.int64))
    kept: list[int] = np.sort(np.argsort(-sizes, kind="stable")[:MAX_LISTED_CLASSES]).tolist()
    return kept


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
