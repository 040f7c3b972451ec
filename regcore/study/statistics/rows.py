"""Row values for metrics that are not plain means over rows, so that their mean is the metric.

The spread of such values over √N is the noise that the choice of rows adds to the metric. For a loss they are the
losses, for accuracy 0 and 1, for mean absolute error the absolute errors. The gap is a difference of means over two
splits, which is linearised (the delta method). So are the ratios of `regcore.tasks.scores`.
"""

import numpy as np
from numpy.typing import NDArray


def gap_rows(test_losses: NDArray[np.float64], train_losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Row values of T − R, the mean test loss minus the mean train loss, of N and M independent rows.

    T − R + ((N + M) / N) · (tᵢ − T) for a test row, T − R − ((N + M) / M) · (rⱼ − R) for a train row

    Their variance over N + M is the sum for the two splits: s²_t / N + s²_r / M.

    Args:
        test_losses: (N,).
        train_losses: (M,).

    Returns:
        (N + M,), the test rows first.
    """
    test, train = np.asarray(test_losses, np.float64), np.asarray(train_losses, np.float64)
    num_rows = len(test) + len(train)
    deviations = [(test - test.mean()) * (num_rows / len(test)), (train.mean() - train) * (num_rows / len(train))]
    rows: NDArray[np.float64] = test.mean() - train.mean() + np.concatenate(deviations)
    return rows
