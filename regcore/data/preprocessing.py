"""The preprocessing of raw images and of targets: fitted on the train rows, kept in `model.json`."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from regcore.data.scaling import mean_and_scale
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import Tensor

Numbers = TypeVar("Numbers", NDArray[Any], "Tensor")


@dataclass(frozen=True, slots=True)
class ImagePreprocessing:
    """Scaling of images to [0, 1], and standardizing: (x − mean) / std.

    Attributes:
        feature_shape: Shape of one image.
        image_maximum: What raw pixels are divided by.
        mean: Means of the train rows, one for each channel; None if not standardized.
        std: Standard deviations, population form; 1 for a constant channel.
    """

    feature_shape: tuple[int, ...]
    image_maximum: float
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
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

    def standardize(self, x: NDArray[Any]) -> NDArray[Any]:
        """Standardize images in [0, 1]; the dtype stays."""
        if self.mean is None or self.std is None:
            return x
        mean = np.asarray(self.mean, x.dtype).reshape(-1, 1, 1)
        std = np.asarray(self.std, x.dtype).reshape(-1, 1, 1)
        standardized: NDArray[Any] = (x - mean) / std
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
        }

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "ImagePreprocessing":
        """The inverse of `to_json`."""
        mean, std = body["mean"], body["std"]
        return cls(
            feature_shape=tuple(body["feature_shape"]),
            image_maximum=body["image_maximum"],
            mean=None if mean is None else tuple(mean),
            std=None if std is None else tuple(std),
        )


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


def fit_preprocessing(train_x: NDArray[Any], *, image_maximum: float, standardize: bool | None) -> ImagePreprocessing:
    """Fit on the train rows alone.

    Args:
        train_x: Train images in [0, 1], (N, channels, height, width).
        image_maximum: What raw pixels were divided by.
        standardize: None leaves images in [0, 1].
    """
    mean = std = None
    if standardize:
        means, scales = mean_and_scale(train_x, axes=(0, 2, 3))
        mean, std = tuple(means.tolist()), tuple(scales.tolist())
    return ImagePreprocessing(train_x.shape[1:], image_maximum, mean, std)
