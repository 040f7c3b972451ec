"""What each row of a split adds to a metric, so that the mean over rows is the metric itself.

The spread of these numbers, over √N, is what the choice of the test rows adds to the metric's noise. For accuracy they
are 0 and 1, for the loss and the mean absolute error the rows' own; R² is a ratio of means, and its rows are linearised
(the delta method).
"""

import numpy as np
from numpy.typing import NDArray


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
