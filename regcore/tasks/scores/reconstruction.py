"""A reconstruction's split: the error of each row."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regcore.tasks import Reconstruction
from regcore.tasks.scores.score import Score
from regcore.tasks.scores.split import Interval, SplitEvaluation, resampled_interval


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
