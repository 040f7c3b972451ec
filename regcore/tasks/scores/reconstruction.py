"""A reconstruction's split: the error of each row, and how the errors are spread."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from regcore.tasks import Reconstruction
from regcore.tasks.scores.score import Score
from regcore.tasks.scores.split import Interval, SplitEvaluation, resampled_interval

QUANTILES: Final = {
    "min": 0,
    "p1": 0.01,
    "p5": 0.05,
    "p25": 0.25,
    "p50": 0.5,
    "p75": 0.75,
    "p95": 0.95,
    "p99": 0.99,
    "max": 1,
}
"""Shares of the rows whose error is at most the quantile, by name."""
_USUAL: Final = 0.99
_NUM_BINS: Final = 24


@dataclass(frozen=True, eq=False)
class ReconstructionEvaluation(SplitEvaluation):
    """A split of a reconstruction.

    Attributes:
        errors: The mean squared error of each row's numbers, (N,).
    """

    errors: NDArray[Any]

    @property
    def names(self) -> Collection[str]:
        return Reconstruction.metrics_with()[1:]

    def scores_of(self, names: Collection[str]) -> dict[str, Score]:
        return {name: Score.mean_of(self.errors) for name in names}

    def intervals(self, loss: Interval, seed: int) -> dict[str, Interval]:
        is_loss = np.allclose(self.errors, self.per_row_loss)  # as with mse
        return dict.fromkeys(self.names, loss if is_loss else resampled_interval(self.errors, seed))


def described_errors(evaluations: Mapping[str, SplitEvaluation]) -> dict[str, Any]:
    """How the errors of rows are spread: `{bin_edges, splits: {split: {quantiles, counts}}}`.

    All splits have the same bins, so that they can be compared: of equal width from the smallest error to the 99 %
    quantile, and one more up to the largest, which may be far away. An error that is not finite is in no bin.
    """
    errors = {name: split.errors for name, split in evaluations.items() if isinstance(split, ReconstructionEvaluation)}
    finite = {name: own[np.isfinite(own)] for name, own in errors.items()}
    together = np.concatenate([*finite.values(), np.empty(0)])
    if not len(together):
        return {"bin_edges": [], "splits": {name: {"quantiles": None, "counts": []} for name in errors}}
    edges = _bin_edges(together)
    return {
        "bin_edges": edges.tolist(),
        "splits": {
            name: {
                "quantiles": dict(zip(QUANTILES, np.quantile(own, list(QUANTILES.values())).tolist(), strict=True))
                if len(own)
                else None,
                "counts": np.histogram(own, edges)[0].tolist(),
            }
            for name, own in finite.items()
        },
    }


def _bin_edges(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rising; two, one apart, where all errors are the same."""
    least, most = float(errors.min()), float(errors.max())
    usual = np.linspace(least, float(np.quantile(errors, _USUAL)), _NUM_BINS + 1)
    edges = np.unique(np.append(usual, most))
    return edges if len(edges) > 1 else np.array([least, least + 1])
