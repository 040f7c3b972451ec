"""What a split's classes are taken for: precision, recall and F1 of each, and the pairs that are confused the most."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from regcore.intervals import wilson

Labels = NDArray[np.int64]
NUM_PAIRS: Final = 25
"""The most pairs of classes that are told."""


@dataclass(frozen=True, eq=False)
class Confusion:
    """The rows of each true class that are predicted as each class. Pairs without rows take no room.

    Attributes:
        num_classes: Of the data.
        true: Class numbers of the pairs that occur, in their order, (P,).
        predicted: What each is taken for, (P,).
        counts: Rows of each pair, (P,).
    """

    num_classes: int
    true: Labels
    predicted: Labels
    counts: Labels

    @classmethod
    def of(cls, targets: NDArray[Any], predictions: NDArray[Any], num_classes: int) -> "Confusion":
        """Count the pairs of true and predicted class numbers, (N,) each."""
        cells = np.asarray(targets, np.int64) * num_classes + np.asarray(predictions, np.int64)
        pairs, counts = np.unique(cells, return_counts=True)
        return cls(num_classes, pairs // num_classes, pairs % num_classes, counts)

    @property
    def support(self) -> Labels:
        """Rows of each class, (classes,)."""
        return self._sums(self.true, self.counts)

    def matrix(self) -> list[list[int]]:
        """All pairs, (classes, classes)."""
        cells = np.zeros((self.num_classes, self.num_classes), np.int64)
        cells[self.true, self.predicted] = self.counts
        rows: list[list[int]] = cells.tolist()
        return rows

    def most_confused(self, labels: Sequence[str]) -> list[dict[str, Any]]:
        """The pairs of different classes with the most rows: `[{label, predicted, num_rows, share}]`.

        `share` is of the rows of the true class. Of equal pairs the first in the classes' order come first.
        """
        wrong = np.flatnonzero(self.true != self.predicted)
        first = wrong[np.argsort(-self.counts[wrong], kind="stable")][:NUM_PAIRS]
        support = self.support
        return [
            {
                "label": labels[true],
                "predicted": labels[predicted],
                "num_rows": count,
                "share": count / int(support[true]),
            }
            for true, predicted, count in zip(
                self.true[first].tolist(), self.predicted[first].tolist(), self.counts[first].tolist(), strict=True
            )
        ]

    def table(self, labels: Sequence[str], shown: Sequence[int]) -> list[dict[str, Any]]:
        """What is known of each class.

        Args:
            labels: As spelled, in the classes' order.
            shown: Numbers of the classes that are wanted.

        Returns:
            `[{label, precision, recall, f1, intervals, support, num_predicted, error_share, confused_with}]`: precision
            is None for a class that is never predicted, recall for one without rows, and F1 without both; `error_share`
            is of all rows that are predicted wrongly; `confused_with` is the class that its rows are taken for the most
            beside itself, `{label, num_rows}`.
        """
        is_right = self.true == self.predicted
        hits = self._sums(self.true[is_right], self.counts[is_right]).tolist()
        support, predicted = self.support.tolist(), self._sums(self.predicted, self.counts).tolist()
        taken_for = self._taken_for()
        num_wrong = sum(support) - sum(hits)
        rows = []
        for k in shown:
            wrong = taken_for.get(k)
            rows.append(
                {
                    "label": labels[k],
                    **_rates(hits[k], support[k], predicted[k]),
                    "support": support[k],
                    "num_predicted": predicted[k],
                    "error_share": (support[k] - hits[k]) / num_wrong if num_wrong else None,
                    "confused_with": None if wrong is None else {"label": labels[wrong[0]], "num_rows": wrong[1]},
                }
            )
        return rows

    def _sums(self, classes: Labels, counts: Labels) -> Labels:
        sums = np.zeros(self.num_classes, np.int64)
        np.add.at(sums, classes, counts)
        return sums

    def _taken_for(self) -> dict[int, tuple[int, int]]:
        """For each class with wrong rows: what most of them are taken for, the first of equal ones, and how many."""
        found: dict[int, tuple[int, int]] = {}
        for true, predicted, count in zip(
            self.true.tolist(), self.predicted.tolist(), self.counts.tolist(), strict=True
        ):
            if true != predicted and count > found.get(true, (0, 0))[1]:
                found[true] = predicted, count
        return found


def _rates(hits: int, support: int, predicted: int) -> dict[str, Any]:
    """Precision, recall and F1 with their 95 % intervals.

    F1 = 2·J / (1 + J), with J = hits / (rows of the class or predicted as it), a proportion: its interval is Wilson's
    of J, moved by the same rising function.
    """
    either = support + predicted - hits
    shares = {"precision": (hits, predicted), "recall": (hits, support), "f1": (hits, either)}
    intervals = {name: wilson(part, whole) if whole else None for name, (part, whole) in shares.items()}
    if intervals["f1"] is not None:
        intervals["f1"] = _f1_of(intervals["f1"][0]), _f1_of(intervals["f1"][1])
    return {
        "precision": hits / predicted if predicted else None,
        "recall": hits / support if support else None,
        "f1": 2 * hits / (support + predicted) if support + predicted else None,
        "intervals": {
            name: None if bounds is None else {"low": bounds[0], "high": bounds[1]}
            for name, bounds in intervals.items()
        },
    }


def _f1_of(jaccard: float) -> float:
    return 2 * jaccard / (1 + jaccard)
