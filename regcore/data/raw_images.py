"""Arrays of raw pixels, of which a trained network is asked."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from regcore.data.encoded import Encoded
from regcore.data.load import scale_images
from regcore.data.preprocessing import ImagePreprocessing
from regcore.errors import InvalidDataError


def apply_to_images(preprocessing: ImagePreprocessing, raw_rows: Any, dtype: Any) -> Encoded:
    """Preprocess raw images, (N, *feature_shape); pixels are scaled in this dtype, as in training."""
    rows: NDArray[Any] = _array(raw_rows)
    shape = preprocessing.feature_shape
    fits = rows.shape[1:] in {shape, (int(np.prod(shape)),)} or (shape[0] == 1 and rows.shape[1:] == shape[1:])
    if rows.ndim < 2 or not fits:
        raise InvalidDataError(
            f"Expected rows of shape {('N', *shape)}; received an array of shape {rows.shape}".replace("'N'", "N"),
            remedy="Give a batch of rows, also where it is a single one.",
        )
    if not np.isfinite(rows).all():
        raise InvalidDataError(
            "Rows must be finite numbers; received NaN or infinity", remedy="Fill or drop missing values."
        )
    rows = rows.reshape(-1, *shape)
    return Encoded(preprocessing.standardize(scale_images(rows, preprocessing.image_maximum, dtype)))


def _array(raw_rows: ArrayLike) -> NDArray[np.float64]:
    try:
        return np.asarray(raw_rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidDataError(
            f"Rows must be an array of numbers of equal length: {error}",
            remedy="Give a list of rows, or a NumPy array.",
        ) from error
