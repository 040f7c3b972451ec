"""Metrics that are no plain means over rows, each with a number for every row whose mean is the metric.

The spread of these numbers over √N is the noise that the choice of rows adds (the delta method). Classes without rows
say nothing, and are left out of a mean over classes; where none is left, the value is NaN.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_NUM_BEST: Final = 5

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Score:
    """A metric of one split.

    Attributes:
        value: NaN if it is undefined.
        rows: Numbers whose mean it is, (N,).
    """

    value: float
    rows: Floats

    @classmethod
    def undefined(cls, num_rows: int) -> "Score":
        """Without a value."""
        return cls(float("nan"), np.full(num_rows, np.nan))

    @classmethod
    def mean_of(cls, rows: NDArray[Any]) -> "Score":
        """The plain mean of a number for each row."""
        return cls(float(rows.mean(dtype=np.float64)), np.asarray(rows, np.float64))


def classification_scores(
    labels: Labels, predictions: Labels, probabilities: Floats, names: Collection[str]
) -> dict[str, Score]:
    """The metrics of these names.

    Args:
        labels: True class numbers, (N,).
        predictions: Predicted ones, (N,).
        probabilities: (N, classes).
        names: Of `regcore.metrics`, `loss` left out.
    """
    num_classes = probabilities.shape[1]
    compute: dict[str, Callable[[], Score]] = {
        "accuracy": lambda: Score.mean_of(labels == predictions),
        "balanced_accuracy": lambda: balanced_accuracy(labels, predictions, num_classes),
        "top5_accuracy": lambda: top_accuracy(labels, probabilities),
        "macro_f1": lambda: macro_f1(labels, predictions, num_classes),
        "auroc": lambda: _over_classes(auroc, labels, probabilities),
        "average_precision": lambda: _over_classes(average_precision, labels, probabilities),
        "log_loss": lambda: log_loss(labels, probabilities),
    }
    return {name: score() for name, score in compute.items() if name in names}


def balanced_accuracy(labels: Labels, predictions: Labels, num_classes: int) -> Score:
    """The mean over classes of recall."""
    counts = np.bincount(labels, minlength=num_classes)
    hits = (labels == predictions).astype(np.float64)
    recalls = np.bincount(labels, hits, num_classes) / np.maximum(counts, 1)
    present = counts > 0
    value = float(recalls[present].mean())
    weights = len(labels) / (present.sum() * np.maximum(counts, 1))
    return Score(value, value + weights[labels] * (hits - recalls[labels]))


def macro_f1(labels: Labels, predictions: Labels, num_classes: int) -> Score:
    """The mean over classes of F1 = 2·hits / (rows of the class + rows predicted as it).

    A class that is neither true nor predicted anywhere is left out.
    """
    num_rows = len(labels)
    is_hit = labels == predictions
    hits = np.bincount(labels[is_hit], minlength=num_classes)
    sizes = np.bincount(labels, minlength=num_classes) + np.bincount(predictions, minlength=num_classes)
    present, sizes = sizes > 0, np.maximum(sizes, 1)
    f1 = 2 * hits / sizes
    # A row adds to the hits of its class if it is one, and to the sizes of its true and its predicted class.
    gains = (num_rows / present.sum()) / sizes
    rows = 2 * is_hit * gains[labels] - (gains * f1)[labels] - (gains * f1)[predictions]
    value = float(f1[present].mean())
    return Score(value, value + rows)


def top_accuracy(labels: Labels, probabilities: Floats) -> Score:
    """The share of rows whose class is among the five most likely; of equally likely ones the first count."""
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)
    is_before = np.arange(probabilities.shape[1]) < labels[:, None]
    places = ((probabilities > own) | ((probabilities == own) & is_before)).sum(axis=1)
    return Score.mean_of(places < _NUM_BEST)


def log_loss(labels: Labels, probabilities: Floats) -> Score:
    """The mean of −log p of the true class; infinite where p is 0."""
    with np.errstate(divide="ignore"):
        return Score.mean_of(-np.log(np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]))


def rmse(errors: Floats) -> Score:
    """The root of the mean squared error."""
    squares = np.square(errors)
    value = float(np.sqrt(squares.mean()))
    return Score(value, value + (squares - squares.mean()) / (2 * value) if value > 0 else np.zeros(len(errors)))


def _over_classes(score: Any, labels: Labels, probabilities: Floats) -> Score:
    """The mean of a binary metric over classes, each against all others; of two classes that of the second."""
    if not np.isfinite(probabilities).all():
        return Score.undefined(len(labels))
    num_classes = probabilities.shape[1]
    found = [score(labels == k, probabilities[:, k]) for k in (range(num_classes) if num_classes > 2 else (1,))]
    defined = [one for one in found if one is not None]
    if not defined:
        return Score.undefined(len(labels))
    return Score(
        float(np.mean([one.value for one in defined])),
        np.sum([one.rows for one in defined], axis=0) / len(defined),
    )


def auroc(is_positive: NDArray[np.bool_], scores: Floats) -> Score | None:
    """The chance that a positive row scores higher than a negative one, ties counting half; None for one class.

    Source: DeLong, DeLong & Clarke-Pearson 1988, Comparing the Areas under Two or More Correlated Receiver Operating
    Characteristic Curves (the rows' parts).
    """
    num_rows, num_positive = len(scores), int(is_positive.sum())
    num_negative = num_rows - num_positive
    if not num_positive or not num_negative:
        return None
    positive, negative = np.sort(scores[is_positive]), np.sort(scores[~is_positive])
    rows = np.empty(num_rows)
    beaten = _below(negative, scores[is_positive]) / num_negative
    value = float(beaten.mean())
    rows[is_positive] = value + (beaten - value) * (num_rows / num_positive)
    lost = 1 - _below(positive, scores[~is_positive]) / num_positive
    rows[~is_positive] = value + (lost - value) * (num_rows / num_negative)
    return Score(value, rows)


def _below(ordered: Floats, scores: Floats) -> Floats:
    """How many of `ordered` are below each score, equal ones counting half."""
    below, up_to = (np.searchsorted(ordered, scores, side=side) for side in ("left", "right"))
    return (below + up_to) / 2


def average_precision(is_positive: NDArray[np.bool_], scores: Floats) -> Score | None:
    """The mean over positive rows of the precision among all rows that score at least as high; None without any.

    A row also changes the precision of those that score lower, or the same: with P the precision and n the number of
    rows at a positive row's threshold, a positive row adds Σ (1 − P) / n over them, and a negative one takes Σ P / n.
    """
    num_rows, num_positive = len(scores), int(is_positive.sum())
    if not num_positive:
        return None
    order = np.argsort(scores, kind="stable")
    ordered, hits = scores[order], is_positive[order]
    first, last = (np.searchsorted(ordered, ordered, side=side) for side in ("left", "right"))
    hits_below = np.concatenate([[0], np.cumsum(hits)])
    reached = num_rows - first
    precision = (num_positive - hits_below[first]) / reached
    value = float(precision[hits].mean())
    lost = np.cumsum(hits * precision / reached)[last - 1]
    won = np.cumsum(hits / reached)[last - 1]
    own = hits * (precision - value + won) - lost
    rows = np.empty(num_rows)
    rows[order] = value + own * (num_rows / num_positive)
    return Score(value, rows)


def class_table(confusion: Labels, labels: Any) -> list[dict[str, Any]]:
    """Precision, recall, F1 and support of each class.

    Args:
        confusion: Rows by true and by predicted class, (classes, classes).
        labels: As spelled, in the classes' order.

    Returns:
        `[{label, precision, recall, f1, support, num_predicted}]`; precision is None for a class that is never
        predicted, recall for one without rows, and F1 without both.
    """
    hits, support, predicted = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    return [
        {
            "label": label,
            "precision": _ratio(hits[k], predicted[k]),
            "recall": _ratio(hits[k], support[k]),
            "f1": _ratio(2 * hits[k], support[k] + predicted[k]),
            "support": int(support[k]),
            "num_predicted": int(predicted[k]),
        }
        for k, label in enumerate(labels)
    ]


def _ratio(part: Any, whole: Any) -> float | None:
    return float(part / whole) if whole else None
