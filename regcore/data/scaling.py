"""Mean and standard deviation, for numbers of any size."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_ROUNDING: Final = 2
"""Values that are within this many epsilons of each other, relative to their size, differ only by rounding."""


def mean_and_scale(values: NDArray[Any], axes: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation over some axes; a scale of 1 if the values are constant up to rounding.

    They are constant if the largest and the smallest value agree. A computed deviation cannot tell, because sums of
    equal numbers round. Therefore the first value is subtracted before summing, so that values far from 0 lose no
    digits. And values are divided by the size of the largest, because the squares of very large or small ones are
    infinite or 0; by a power of two, which changes no digits.
    """
    largest, smallest = values.max(axis=axes), values.min(axis=axes)
    sizes = np.maximum(np.abs(largest), np.abs(smallest))
    exponents = np.frexp(sizes)[1]
    parts = np.ldexp(values, -np.expand_dims(exponents, axes))
    origin = parts[tuple(slice(1) if axis in axes else slice(None) for axis in range(values.ndim))].astype(np.float64)
    deviations = parts - origin
    means = np.ldexp(origin.reshape(exponents.shape) + deviations.mean(axis=axes), exponents)
    scales = np.ldexp(deviations.std(axis=axes), exponents)
    # The difference of halves, because the whole range may be infinite.
    is_constant = largest / 2 - smallest / 2 <= _ROUNDING / 2 * np.finfo(values.dtype).eps * sizes
    return means, np.where(is_constant | (scales == 0), 1.0, scales)
