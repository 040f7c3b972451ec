"""One split as a finished member sees it: its metrics with their intervals, and what each row adds to them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regcore.intervals import bootstrap, percentile_interval, with_interval
from regcore.tasks.scores.score import Score

Interval = tuple[float, float]


@dataclass(frozen=True, eq=False)
class SplitEvaluation:
    """Evaluation mode, un-augmented, unpenalised, true labels. A task with metrics beside the loss has a subclass.

    Attributes:
        per_row_loss: (N,).
    """

    per_row_loss: NDArray[Any]

    @cached_property
    def scores(self) -> dict[str, Score]:
        """Every metric but the loss, by name."""
        return self.scores_of(self.names)

    @property
    def names(self) -> Collection[str]:
        """The metrics beside the loss, in their order."""
        return ()

    def scores_of(self, names: Collection[str]) -> dict[str, Score]:
        """The metrics of these names."""
        return {}

    def intervals(self, loss: Interval, seed: int) -> dict[str, Interval]:
        """The 95 % interval of every metric beside the loss.

        Args:
            loss: That of the loss.
            seed: Of resamples.
        """
        return {}

    def values(self) -> dict[str, float]:
        """Every metric by name."""
        loss = float(np.mean(self.per_row_loss, dtype=np.float64))
        return {"loss": loss} | {name: score.value for name, score in self.scores.items()}

    def with_intervals(self, losses: NDArray[np.float64], seed: int) -> dict[str, dict[str, Any]]:
        """Every metric as `{value, low, high}`.

        Args:
            losses: The mean loss of each bootstrap resample.
            seed: Of further resamples.
        """
        values, loss = self.values(), percentile_interval(losses)
        intervals = {"loss": loss} | self.intervals(loss, seed)
        return {name: with_interval(values[name], interval) for name, interval in intervals.items()}

    def rows(self) -> dict[str, NDArray[Any]]:
        """Numbers whose mean is each metric, (N,); without those of a metric that has no value."""
        scores = {name: score.rows for name, score in self.scores.items() if not np.isnan(score.value)}
        return {"loss": self.per_row_loss, **scores}

    def answer(self, place: int, classes: Sequence[str] | None) -> dict[str, Any]:
        """What is to be said of one row beside its error: its target and prediction, where there are such.

        Args:
            place: Of the row in the split, from 0.
            classes: Labels in the order of the class numbers; None without classes.
        """
        return {}


def _first_mean(means: NDArray[np.float64]) -> NDArray[np.float64]:
    return means[:, 0]


def resampled_means(rows: NDArray[Any], seed: int) -> NDArray[np.float64]:
    """The mean of each bootstrap resample of the rows."""
    return bootstrap(np.asarray(rows, np.float64)[:, None], _first_mean, seed=seed)


def resampled_interval(rows: NDArray[Any], seed: int) -> Interval:
    """The interval of the mean of these rows."""
    return percentile_interval(resampled_means(rows, seed))
