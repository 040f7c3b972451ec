"""The preprocessing of images, of known sets and of one's own: fitted on the train rows, kept in `model.json`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from regcore.data.encoded import Columns, Encoded
from regcore.data.images.pixels import ArrayForm
from regcore.data.load import scale_images
from regcore.data.scaling import mean_and_scale
from regcore.shapes import RowInfo, Shape

_NUM_LEVELS: Final = 256
_NUM_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True)
class ImagePreprocessing:
    """Scaling of images to [0, 1], and standardizing: (x − mean) / std.

    Attributes:
        feature_shape: Channels, height and width of one image; others are brought to it.
        image_maximum: What raw pixels are divided by.
        mean: Means of the train rows, one for each channel; None if not standardized.
        std: Standard deviations, population form; 1 for a constant channel.
        array: How the set keeps images that came as arrays; None for files of images.
        column: Of the set, where it has columns.
    """

    feature_shape: Shape
    image_maximum: float
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    array: ArrayForm | None = None
    column: str = "image"
    kind: Literal["image"] = field(default="image", init=False)

    @property
    def is_fitted(self) -> bool:
        """Whether anything depends on the train rows."""
        return self.mean is not None

    @property
    def row(self) -> RowInfo:
        """(channels, height, width)."""
        return RowInfo(self.feature_shape)

    @property
    def layout(self) -> tuple[Any, ...]:
        """Shape, and the unit of raw pixels."""
        return self.kind, self.feature_shape, self.image_maximum

    @property
    def scaling(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Those of each pixel's channel."""
        num_channels, pixels = self.feature_shape[0], int(np.prod(self.feature_shape[1:]))
        means, stds = self.mean or (0.0,) * num_channels, self.std or (1.0,) * num_channels
        return np.repeat(means, pixels).astype(np.float64), np.repeat(stds, pixels).astype(np.float64)

    def encode(self, columns: Columns, dtype: Any) -> Encoded:
        """Rows of the network, of a set's cells."""
        from regcore.data.images.cells import pixels_of  # loads Pillow

        pixels = pixels_of(columns[self.column], self.array, self.feature_shape)
        return Encoded(self.standardize(scale_images(pixels, self.image_maximum, dtype)))

    def standardize(self, x: NDArray[Any]) -> NDArray[Any]:
        """Standardize images in [0, 1]; the dtype stays."""
        if self.mean is None or self.std is None:
            return x
        mean = np.asarray(self.mean, x.dtype).reshape(-1, 1, 1)
        std = np.asarray(self.std, x.dtype).reshape(-1, 1, 1)
        standardized: NDArray[Any] = x - mean
        standardized /= std
        return standardized

    def to_json(self) -> dict[str, Any]:
        """As `preprocessing` in `model.json`."""
        return {
            "kind": self.kind,
            "feature_shape": list(self.feature_shape),
            "columns": None,
            "image_maximum": self.image_maximum,
            "mean": None if self.mean is None else list(self.mean),
            "std": None if self.std is None else list(self.std),
            "array": None if self.array is None else {"shape": list(self.array.shape), "dtype": self.array.dtype},
            "column": self.column,
        }

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "ImagePreprocessing":
        """The inverse of `to_json`; models of before images of one's own were all of arrays."""
        mean, std = body["mean"], body["std"]
        shape = tuple(body["feature_shape"])
        array = body.get("array", {"shape": shape, "dtype": "float64"})
        return cls(
            feature_shape=shape,
            image_maximum=body["image_maximum"],
            mean=None if mean is None else tuple(mean),
            std=None if std is None else tuple(std),
            array=None if array is None else ArrayForm(tuple(array["shape"]), array["dtype"]),
            column=body.get("column", "image"),
        )


def fit_known_images(train_x: NDArray[Any], *, image_maximum: float, standardize: bool | None) -> ImagePreprocessing:
    """Fit on the train rows of a known set alone.

    Args:
        train_x: Train images in [0, 1], (N, channels, height, width).
        image_maximum: What raw pixels were divided by.
        standardize: None leaves images in [0, 1].
    """
    mean = std = None
    if standardize:
        means, scales = mean_and_scale(train_x, axes=(0, 2, 3))
        mean, std = tuple(means.tolist()), tuple(scales.tolist())
    shape = train_x.shape[1:]
    return ImagePreprocessing(shape, image_maximum, mean, std, ArrayForm(shape, "float64"))


def fit_images(
    cells: Any, shape: Shape, *, image_maximum: float, array: ArrayForm | None, column: str, standardize: bool
) -> ImagePreprocessing:
    """Fit on the train rows of a set alone; nothing is decoded unless they are to be standardized.

    Args:
        cells: Of the train rows.
        shape: Channels, height and width that the network gets.
        image_maximum: What raw pixels are divided by.
        array: How the set keeps them; None for files.
        column: Of the set.
        standardize: Whether each channel is scaled to mean 0 and variance 1.
    """
    plain = ImagePreprocessing(shape, image_maximum, array=array, column=column)
    if not standardize:
        return plain
    from regcore.data.images.cells import pixels_of  # loads Pillow

    def parts() -> Iterator[NDArray[Any]]:
        for begin in range(0, len(cells), _NUM_AT_ONCE):
            yield pixels_of(cells.slice(begin, _NUM_AT_ONCE), array, shape)

    is_bytes = array is None or array.dtype == "uint8"
    means, stds = _of_bytes(parts(), shape[0]) if is_bytes else _of_fractions(parts, shape[0])
    means, stds = means / image_maximum, np.where(stds == 0, 1.0, stds / image_maximum)
    return replace(plain, mean=tuple(means.tolist()), std=tuple(stds.tolist()))


def _of_bytes(parts: Iterator[NDArray[np.uint8]], num_channels: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each channel, from how often each of the 256 numbers is there."""
    counts = np.zeros((num_channels, _NUM_LEVELS), np.int64)
    for part in parts:
        for image in part:
            for count, channel in zip(counts, image, strict=True):
                count += np.bincount(channel.reshape(-1), minlength=_NUM_LEVELS)
    shares = counts / counts.sum(axis=1, keepdims=True)
    levels = np.arange(_NUM_LEVELS)
    means = shares @ levels
    stds = np.sqrt((shares * (levels - means[:, None]) ** 2).sum(axis=1))
    return means, np.where((shares == 1).any(axis=1), 0.0, stds)


def _of_fractions(
    parts: Callable[[], Iterator[NDArray[Any]]], num_channels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same in two passes, because squares of numbers far from 0 lose their digits in one."""
    axes, sums, count = (0, 2, 3), np.zeros(num_channels), 0
    lowest, highest = np.full(num_channels, np.inf), np.full(num_channels, -np.inf)
    for part in parts():
        sums += part.sum(axis=axes, dtype=np.float64)
        count += part.size // num_channels
        lowest, highest = np.minimum(lowest, part.min(axis=axes)), np.maximum(highest, part.max(axis=axes))
    means, squares = sums / count, np.zeros(num_channels)
    for part in parts():
        squares += ((part - means[:, None, None]) ** 2).sum(axis=axes)
    return np.where(lowest == highest, lowest, means), np.where(lowest == highest, 0.0, np.sqrt(squares / count))
