"""What each row of a split adds to a metric, so that the mean over rows is the metric itself.

The spread of these numbers, over √N, is what the choice of the test rows adds to the metric's noise. For accuracy they
are 0 and 1, for mean absolute error the absolute errors; loss with class weights and R² are ratios of means, and theirs
are linearised (the delta method).
"""

import numpy as np
from numpy.typing import NDArray


def loss_rows(per_row_loss: NDArray[np.float64], row_weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """The rows of Σ wᵢ lᵢ / Σ wᵢ: the losses themselves where nothing is weighted.

    L + wᵢ (lᵢ − L) / w̄

    Args:
        per_row_loss: (N,).
        row_weights: The class weight of each row, (N,), with a sum above zero.

    Returns:
        (N,).
    """
    losses = np.asarray(per_row_loss, np.float64)
    if row_weights is None:
        return losses
    weights = np.asarray(row_weights, np.float64)
    loss = (weights * losses).mean() / weights.mean()
    rows: NDArray[np.float64] = loss + weights * (losses - loss) / weights.mean()
    return rows


def r2_rows(predictions: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rows of R² = 1 − E / V, with E the mean squared error and V the variance of the targets.

    1 − eᵢ² / V + (E / V²) · ((yᵢ − ȳ)² − V)

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
    rows: NDArray[np.float64] = 1 - squares / variance + squares.mean() / variance**2 * (spread - variance)
    return rows
