"""Metrics of classes, each with a number for every row whose mean is the metric.

The spread of these numbers over √N is the noise that the choice of rows adds (the delta method). Classes without rows
say nothing, and are left out of a mean over classes; where none is left, the value is NaN.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from regcore.tasks.scores.score import Floats, Score

_NUM_BEST: Final = 5

Labels = NDArray[np.int64]


def classification_scores(
    labels: Labels,
    predictions: Labels,
    probabilities: Floats,
    names: Collection[str],
    likelier: Labels | None = None,
) -> dict[str, Score]:
    """The metrics of these names.

    Args:
        labels: True class numbers, (N,).
        predictions: Predicted ones, (N,).
        probabilities: (N, classes).
        names: Of the task `classification`, `loss` left out.
        likelier: As `num_likelier` gives them for the outputs; by default for the probabilities.
    """
    num_classes = probabilities.shape[1]
    ranked = [name for name in _OF_RANKINGS if name in names]
    found = _over_classes(ranked, labels, probabilities) if ranked else {}
    compute: dict[str, Callable[[], Score]] = {
        "accuracy": lambda: Score.mean_of(labels == predictions),
        "balanced_accuracy": lambda: balanced_accuracy(labels, predictions, num_classes),
        "top5_accuracy": lambda: Score.mean_of(
            (num_likelier(labels, probabilities) if likelier is None else likelier) < _NUM_BEST
        ),
        "macro_f1": lambda: macro_f1(labels, predictions, num_classes),
        "log_loss": lambda: log_loss(labels, probabilities),
    }
    found |= {name: score() for name, score in compute.items() if name in names}
    return {name: found[name] for name in names if name in found}


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


def num_likelier(labels: Labels, outputs: Floats) -> Labels:
    """How many classes come before the true one, (N,): those with a larger output, and of equal ones the first.

    Where an output is NaN, the true class is not told from that one, which comes before it.

    Args:
        labels: True class numbers, (N,).
        outputs: Logits or probabilities, (N, classes).
    """
    own = np.take_along_axis(outputs, labels[:, None], axis=1)
    is_own_or_after = np.arange(outputs.shape[1]) >= labels[:, None]
    follow = (outputs < own) | ((outputs == own) & is_own_or_after)
    before: Labels = outputs.shape[1] - np.count_nonzero(follow, axis=1)
    return before


def log_loss(labels: Labels, probabilities: Floats) -> Score:
    """The mean of −log p of the true class; a p too small for a float counts as the smallest."""
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    return Score.mean_of(-np.log(np.maximum(own, np.finfo(np.float64).tiny)))


@dataclass(frozen=True, eq=False)
class _Ranking:
    """Rows by rising score, of one class against all others.

    Attributes:
        order: The row at each place, (N,).
        hits: Whether it is of the class, (N,).
        first: The first place of those with the same score; `end` the one after the last.
        hits_below: Rows of the class before each place, (N + 1,).
    """

    order: Labels
    hits: NDArray[np.bool_]
    first: Labels
    end: Labels
    hits_below: Labels

    @classmethod
    def of(cls, is_positive: NDArray[np.bool_], scores: Floats) -> "_Ranking":
        """Sort once; equal scores keep the order of rows."""
        order = np.argsort(scores, kind="stable")
        ordered, hits = scores[order], is_positive[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        ends = np.append(starts[1:], len(scores))
        sizes = ends - starts
        below = np.concatenate([[0], np.cumsum(hits)])
        return cls(order, hits, np.repeat(starts, sizes), np.repeat(ends, sizes), below)

    def score(self, value: float, deviations: Floats) -> Score:
        """A metric of this value, to which each place adds so much more or less."""
        rows = np.empty(len(self.order))
        rows[self.order] = value + deviations
        return Score(value, rows)


def _rankings(labels: Labels, probabilities: Floats) -> Iterator[_Ranking]:
    """Of each class; of two classes that of the second. Without any if probabilities are not finite."""
    if not np.isfinite(probabilities).all():
        return
    num_classes = probabilities.shape[1]
    for k in range(num_classes) if num_classes > 2 else (1,):
        yield _Ranking.of(labels == k, probabilities[:, k])


def _over_classes(names: Collection[str], labels: Labels, probabilities: Floats) -> dict[str, Score]:
    """The mean of binary metrics over the classes of which they have a value; one class at a time is in memory."""
    num_rows = len(labels)
    values: dict[str, list[float]] = {name: [] for name in names}
    rows = {name: np.zeros(num_rows) for name in names}
    for ranking in _rankings(labels, probabilities):
        for name in names:
            score = _OF_RANKINGS[name](ranking)
            if score is not None:
                values[name].append(score.value)
                rows[name] += score.rows
    return {
        name: Score(float(np.mean(own)), rows[name] / len(own)) if own else Score.undefined(num_rows)
        for name, own in values.items()
    }


def _auroc(ranking: _Ranking) -> Score | None:
    """The chance that a row of the class scores higher than another, ties counting half; None without both.

    Source: DeLong, DeLong & Clarke-Pearson 1988, Comparing the Areas under Two or More Correlated Receiver Operating
    Characteristic Curves (the rows' parts).
    """
    num_rows, num_positive = len(ranking.order), int(ranking.hits_below[-1])
    num_negative = num_rows - num_positive
    if not num_positive or not num_negative:
        return None
    hits = (ranking.hits_below[ranking.first] + ranking.hits_below[ranking.end]) / 2
    beaten = ((ranking.first + ranking.end) / 2 - hits) / num_negative
    lost = 1 - hits / num_positive
    value = float(beaten[ranking.hits].mean())
    deviations = np.where(
        ranking.hits, (beaten - value) * (num_rows / num_positive), (lost - value) * (num_rows / num_negative)
    )
    return ranking.score(value, deviations)


def _average_precision(ranking: _Ranking) -> Score | None:
    """The mean over rows of the class of the precision among all that score at least as high; None without any.

    A row also changes the precision of those that score lower, or the same: with P the precision and n the number of
    rows at a threshold, a row of the class adds Σ (1 − P) / n over them, and another takes Σ P / n.
    """
    num_rows, num_positive = len(ranking.order), int(ranking.hits_below[-1])
    if not num_positive:
        return None
    hits, reached = ranking.hits, num_rows - ranking.first
    precision = (num_positive - ranking.hits_below[ranking.first]) / reached
    value = float(precision[hits].mean())
    lost = np.cumsum(hits * precision / reached)[ranking.end - 1]
    won = np.cumsum(hits / reached)[ranking.end - 1]
    return ranking.score(value, (hits * (precision - value + won) - lost) * (num_rows / num_positive))


_OF_RANKINGS: Final[Mapping[str, Callable[[_Ranking], Score | None]]] = {
    "auroc": _auroc,
    "average_precision": _average_precision,
}
