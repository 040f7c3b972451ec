"""The scaling of targets: fitted on the train rows, kept in `model.json`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from regcore.data.scaling import mean_and_scale

if TYPE_CHECKING:
    from torch import Tensor

Numbers = TypeVar("Numbers", NDArray[Any], "Tensor")


@dataclass(frozen=True, slots=True)
class TargetScaling:
    """Regression targets as the model is trained on them: (y − mean) / scale.

    Attributes:
        mean: Of the train rows' targets, in their own unit.
        scale: Their standard deviation, population form; 1 if they are constant, or it is too small for a float.
    """

    mean: float
    scale: float

    def scaled(self, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Targets as the model is trained on them."""
        standardized: NDArray[np.float64] = (targets - self.mean) / self.scale
        return standardized

    def undone(self, outputs: Numbers) -> Numbers:
        """Outputs of the model, or scaled targets, in the target's own unit; an array or a tensor."""
        return outputs * self.scale + self.mean

    @property
    def loss_unit(self) -> float:
        """The factor from a loss of scaled targets to one in the target's own unit.

        It is scale² for each of them: `mse` and `half_mse` are squares, and `huber` with δ of the scaled unit is
        scale² times smaller than `huber` with δ · scale of the target's own.
        """
        return self.scale * self.scale  # gives infinity, where ** would raise


def fit_target_scaling(train_y: NDArray[np.float64]) -> TargetScaling:
    """Fit on the train rows' targets alone, (N,)."""
    mean, scale = mean_and_scale(train_y, axes=(0,))
    return TargetScaling(float(mean), float(scale))
