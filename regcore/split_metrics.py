"""The metrics of one split with their intervals, and what each row adds to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from regcore.intervals import bootstrap, percentile_interval, share_interval, wilson, with_interval
from regcore.metrics import CLASSIFICATION, metrics_of
from regcore.scores import Score, class_table, classification_scores, rmse

MAX_CONFUSED_CLASSES: Final = 100
"""The most classes of which every pair is counted."""


@dataclass(frozen=True, eq=False)
class SplitEvaluation:
    """One split as the final model sees it: eval mode, un-augmented, unpenalised, true labels.

    Attributes:
        per_row_loss: (N,).
        predictions: Class labels or values, (N,).
        targets: (N,).
        probabilities: Of each class, (N, classes); None for regression.
    """

    per_row_loss: NDArray[Any]
    predictions: NDArray[Any]
    targets: NDArray[Any]
    probabilities: NDArray[Any] | None = None

    @cached_property
    def scores(self) -> dict[str, Score]:
        """Of a classification: every metric but the loss, by name."""
        assert self.probabilities is not None, "a regression has none"
        names = metrics_of(CLASSIFICATION, self.probabilities.shape[1])
        return classification_scores(self.targets, self.predictions, self.probabilities, names)

    def values(self) -> dict[str, float]:
        """Every metric by name."""
        loss = {"loss": float(np.mean(self.per_row_loss, dtype=np.float64))}
        if self.probabilities is not None:
            return loss | {name: score.value for name, score in self.scores.items()}
        squares, centred = self._squares_and_spread()
        columns = np.stack([squares, centred, centred**2], axis=1).mean(axis=0, keepdims=True)
        r2 = float(_r2(columns, num_rows=len(squares))[0])
        return loss | {"r2": r2, "mae": float(np.sqrt(squares).mean()), "rmse": float(np.sqrt(squares.mean()))}

    def _squares_and_spread(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Squared errors, and targets less their mean, (N,) each.

        R² does not depend on the targets' origin. Shifted near zero, squares lose no digits, and equal targets are
        zeros.
        """
        targets = np.asarray(self.targets, np.float64)
        from_first = targets - targets[0]
        return np.square(np.asarray(self.predictions, np.float64) - targets), from_first - from_first.mean()

    def with_intervals(self, losses: NDArray[np.float64], seed: int) -> dict[str, dict[str, Any]]:
        """Every metric as `{value, low, high}`.

        Args:
            losses: The mean loss of each bootstrap resample.
            seed: Of further resamples.
        """
        values, intervals = self.values(), {"loss": percentile_interval(losses)}
        if self.probabilities is not None:
            intervals |= self._class_intervals(intervals["loss"], seed)
        else:
            intervals |= self._value_intervals(intervals["loss"], seed)
        return {name: with_interval(values[name], interval) for name, interval in intervals.items()}

    def _class_intervals(self, loss: tuple[float, float], seed: int) -> dict[str, tuple[float, float]]:
        num_rows = len(self.targets)
        counts = np.bincount(self.targets)
        present = counts[counts > 0]
        worth = len(present) ** 2 / float((1 / present).sum())
        found = {}
        for name, score in self.scores.items():
            if name == "log_loss":
                # Without class weights it is the loss, whose resamples are there already.
                is_loss = np.allclose(score.rows, self.per_row_loss)
                found[name] = loss if is_loss else _resampled(score.rows, seed)
            elif name in ("accuracy", "top5_accuracy"):
                found[name] = wilson(score.rows.sum(), num_rows)
            else:
                found[name] = share_interval(score.value, score.rows, worth)
        return found

    def _value_intervals(self, loss: tuple[float, float], seed: int) -> dict[str, tuple[float, float]]:
        squares, centred = self._squares_and_spread()
        columns = np.stack([squares, centred, centred**2], axis=1)
        of_squares = loss if np.allclose(squares, self.per_row_loss) else _resampled(squares, seed)
        return {
            "r2": percentile_interval(bootstrap(columns, partial(_r2, num_rows=len(squares)), seed=seed)),
            "mae": _resampled(np.sqrt(squares), seed),
            "rmse": (float(np.sqrt(of_squares[0])), float(np.sqrt(of_squares[1]))),
        }

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

    def value_rows(self) -> dict[str, NDArray[np.float64]]:
        """Of a regression: numbers whose mean is `mae` and `rmse`, (N,)."""
        errors = np.asarray(self.predictions, np.float64) - np.asarray(self.targets, np.float64)
        return {"mae": np.abs(errors), "rmse": rmse(errors).rows}


def _first_mean(means: NDArray[np.float64]) -> NDArray[np.float64]:
    return means[:, 0]


def resampled_means(rows: NDArray[Any], seed: int) -> NDArray[np.float64]:
    """The mean of each bootstrap resample of the rows."""
    return bootstrap(np.asarray(rows, np.float64)[:, None], _first_mean, seed=seed)


def _resampled(rows: NDArray[Any], seed: int) -> tuple[float, float]:
    return percentile_interval(resampled_means(rows, seed))


def _r2(means: NDArray[np.float64], *, num_rows: int) -> NDArray[np.float64]:
    """R² from means of squared error, target and squared target; NaN for a resample of equal targets.

    The variance of equal targets is a rounding error, which grows with the rows.
    """
    variance = means[:, 2] - means[:, 1] ** 2
    varies = variance > num_rows * np.finfo(np.float64).eps * means[:, 2]
    unexplained = np.divide(means[:, 0], variance, out=np.full(len(means), np.nan), where=varies)
    r2: NDArray[np.float64] = 1 - unexplained
    return r2
