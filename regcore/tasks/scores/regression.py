"""A regression's split, in the target's own unit."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regcore.intervals import bootstrap, percentile_interval
from regcore.tasks import Regression
from regcore.tasks.scores.score import Floats, Score
from regcore.tasks.scores.split import Interval, SplitEvaluation, resampled_interval


@dataclass(frozen=True, eq=False)
class NumberEvaluation(SplitEvaluation):
    """A split of a regression.

    Attributes:
        predictions: (N,).
        targets: (N,).
    """

    predictions: NDArray[Any]
    targets: NDArray[Any]

    @property
    def names(self) -> Collection[str]:
        return Regression.metrics_with()[1:]

    def scores_of(self, names: Collection[str]) -> dict[str, Score]:
        squares, centred = self._squares_and_spread
        columns = np.stack([squares, centred, centred**2], axis=1).mean(axis=0, keepdims=True)
        value = float(_r2(columns, num_rows=len(squares))[0])
        errors = np.sqrt(squares)
        found = {
            # Equal targets have no variance.
            "r2": Score(value, r2_rows(self.predictions, self.targets))
            if np.ptp(self.targets) > 0
            else Score.undefined(len(squares)),
            "mae": Score(float(errors.mean()), errors),
            "rmse": rmse(squares),
        }
        return {name: found[name] for name in names}

    @cached_property
    def _squares_and_spread(self) -> tuple[Floats, Floats]:
        """Squared errors, and targets less their mean, (N,) each.

        R² does not depend on the targets' origin. Shifted near zero, squares lose no digits, and equal targets are
        zeros.
        """
        targets = np.asarray(self.targets, np.float64)
        from_first = targets - targets[0]
        return np.square(np.asarray(self.predictions, np.float64) - targets), from_first - from_first.mean()

    def intervals(self, loss: Interval, seed: int) -> dict[str, Interval]:
        squares, centred = self._squares_and_spread
        columns = np.stack([squares, centred, centred**2], axis=1)
        of_squares = loss if np.allclose(squares, self.per_row_loss) else resampled_interval(squares, seed)
        return {
            "r2": percentile_interval(bootstrap(columns, partial(_r2, num_rows=len(squares)), seed=seed)),
            "mae": resampled_interval(np.sqrt(squares), seed),
            "rmse": (float(np.sqrt(of_squares[0])), float(np.sqrt(of_squares[1]))),
        }

    def answer(self, place: int, classes: Sequence[str] | None) -> dict[str, Any]:
        """In as many digits as a float32 has: targets were scaled, and scaled back."""
        values = {"target": self.targets[place], "prediction": self.predictions[place]}
        return {name: float(f"{value:.7g}") for name, value in values.items()}


def _r2(means: Floats, *, num_rows: int) -> Floats:
    """R² from means of squared error, target and squared target; NaN for a resample of equal targets.

    The variance of equal targets is a rounding error, which grows with the rows.
    """
    variance = means[:, 2] - means[:, 1] ** 2
    varies = variance > num_rows * np.finfo(np.float64).eps * means[:, 2]
    unexplained = np.divide(means[:, 0], variance, out=np.full(len(means), np.nan), where=varies)
    r2: Floats = 1 - unexplained
    return r2


def r2_rows(predictions: Floats, targets: Floats) -> Floats:
    """Row values of R² = 1 − E / V, with E the mean squared error and V the variance of the targets.

    1 − eᵢ² / V + (E / V²) · ((yᵢ − ȳ)² − V)

    R² is a ratio of means, which is linearised (the delta method).

    Args:
        predictions: (N,).
        targets: (N,), not all equal.

    Returns:
        (N,).
    """
    targets = np.asarray(targets, np.float64)
    squares = (np.asarray(predictions, np.float64) - targets) ** 2
    spread = (targets - targets.mean()) ** 2
    variance = spread.mean()
    rows: Floats = 1 - squares / variance + squares.mean() / variance**2 * (spread - variance)
    return rows


def rmse(squares: Floats) -> Score:
    """The root of the mean of squared errors, (N,)."""
    value = float(np.sqrt(squares.mean()))
    return Score(value, value + (squares - squares.mean()) / (2 * value) if value > 0 else np.zeros(len(squares)))
