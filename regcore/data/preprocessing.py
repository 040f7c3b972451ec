"""The preprocessing of raw rows: fitted on the train rows, kept in `model.json`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from regcore.data.catalogue import DatasetInfo
from regcore.data.scaling import mean_and_scale

if TYPE_CHECKING:
    from torch import Tensor

Numbers = TypeVar("Numbers", NDArray[Any], "Tensor")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Scaling of images to [0, 1], and standardizing: (x − mean) / std.

    Attributes:
        kind: `image` or `table`.
        feature_shape: Shape of one row.
        columns: Column names of a table, in order.
        image_maximum: What raw pixels are divided by.
        mean: Means of the train rows, one for each column of a table or channel of images; None if not standardized.
        std: Standard deviations, population form; 1 for a constant column.
    """

    kind: Literal["image", "table"]
    feature_shape: tuple[int, ...]
    columns: tuple[str, ...] | None = None
    image_maximum: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @property
    def is_fitted(self) -> bool:
        """Whether anything depends on the train rows."""
        return self.mean is not None

    def standardize(self, x: NDArray[Any]) -> NDArray[Any]:
        """Standardize rows that are in [0, 1] (images) or in their own units (tables); the dtype stays."""
        if self.mean is None or self.std is None:
            return x
        shape = (-1, 1, 1) if self.kind == "image" else (-1,)
        mean = np.asarray(self.mean, x.dtype).reshape(shape)
        std = np.asarray(self.std, x.dtype).reshape(shape)
        standardized: NDArray[Any] = (x - mean) / std
        return standardized

    def to_json(self) -> dict[str, Any]:
        """As `preprocessing` in `model.json`."""
        columns = None
        if self.columns is not None:
            columns = [{"name": name, "type": "number"} for name in self.columns]
        return {
            "kind": self.kind,
            "feature_shape": list(self.feature_shape),
            "columns": columns,
            "image_maximum": self.image_maximum,
            "mean": None if self.mean is None else list(self.mean),
            "std": None if self.std is None else list(self.std),
        }

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "Preprocessing":
        """The inverse of `to_json`."""
        columns, mean, std = body["columns"], body["mean"], body["std"]
        return cls(
            kind=body["kind"],
            feature_shape=tuple(body["feature_shape"]),
            columns=None if columns is None else tuple(column["name"] for column in columns),
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


def fit_preprocessing(
    info: DatasetInfo, train_x: NDArray[Any], *, image_maximum: float | None, standardize: bool | None
) -> Preprocessing:
    """Fit on the train rows alone.

    Args:
        info: The data set's facts.
        train_x: Train rows, (N, *feature_shape).
        image_maximum: What raw pixels were divided by; None for tables.
        standardize: None standardizes tables and leaves images in [0, 1].
    """
    mean = std = None
    if standardize if standardize is not None else info.kind == "table":
        means, scales = mean_and_scale(train_x, axes=(0, 2, 3) if info.kind == "image" else (0,))
        mean, std = tuple(means.tolist()), tuple(scales.tolist())
    return Preprocessing(info.kind, info.feature_shape, info.columns, image_maximum, mean, std)
