"""From a spec to the tensors of a run: load, split, fit the scaling on the train rows, standardize."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from regcore.data.load import DataSource, load
from regcore.data.preprocessing import Preprocessing, TargetScaling, fit_preprocessing, fit_target_scaling
from regcore.data.split import SplitSpec, split


class _DataSpec(DataSource, SplitSpec, Protocol):
    @property
    def standardize(self) -> bool | None: ...
    @property
    def standardize_target(self) -> bool | None: ...


class _TaskSpec(Protocol):
    @property
    def kind(self) -> str: ...


class _TrainingSpec(Protocol):
    @property
    def precision(self) -> str: ...


class RunSpec(Protocol):
    """The parts of a job spec that preparing the data reads."""

    @property
    def data(self) -> _DataSpec: ...
    @property
    def task(self) -> _TaskSpec: ...
    @property
    def training(self) -> _TrainingSpec: ...


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Rows as fed to the model.

    Attributes:
        x: (N, *feature_shape), float32 or float64.
        y: Class labels as int64, or regression targets in x's dtype, scaled if the run scales them, (N,).
    """

    x: torch.Tensor
    y: torch.Tensor

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedData:
    """The splits of a run, and everything needed to treat new rows alike; a split without rows is None.

    Attributes:
        preprocessing: From raw rows to `x`.
        classes: Class names in label order; None for regression.
        target_scaling: From raw targets to `y`; None if they are not scaled.
    """

    train: Split
    validation: Split | None
    test: Split | None
    preprocessing: Preprocessing
    classes: tuple[str, ...] | None
    target_scaling: TargetScaling | None = None


def prepare(spec: RunSpec, data_dir: Path | None = None, *, device: torch.device | str = "cpu") -> PreparedData:
    """Load, split and standardize; statistics come from the train rows alone.

    Args:
        spec: A job spec (resolved or not).
        data_dir: The folder of torchvision's sets.
        device: Where the tensors go.

    Raises:
        InvalidDataError: The data cannot be read.
    """
    # bfloat16 is for the model's arithmetic; the rows stay float32.
    is_double = spec.training.precision == "float64"
    dtype = torch.float64 if is_double else torch.float32
    raw = load(spec.data, data_dir, image_dtype=np.float64 if is_double else np.float32)
    splits = split(raw, spec.data)
    is_regression = raw.info.classes is None or spec.task.kind == "regression"
    train_x = raw.x[splits.train]
    preprocessing = fit_preprocessing(
        raw.info, train_x, image_maximum=raw.image_maximum, standardize=spec.data.standardize
    )
    scaling = None
    if is_regression and spec.data.standardize_target is not False:
        scaling = fit_target_scaling(raw.y[splits.train].astype(np.float64))

    def to_split(x: NDArray[Any], y: NDArray[Any]) -> Split | None:
        if len(y) == 0:
            return None
        target = torch.from_numpy(np.ascontiguousarray(y if scaling is None else scaling.scaled(y)))
        features = torch.from_numpy(np.ascontiguousarray(preprocessing.standardize(x)))
        return Split(
            features.to(device=device, dtype=dtype),
            target.to(device=device, dtype=dtype if is_regression else torch.int64),
        )

    train = to_split(train_x, raw.y[splits.train])
    assert train is not None, "the plan refuses an empty train split"
    if splits.test is None:
        assert raw.official_test is not None, "split() leaves test out only for an official test split"
        test = to_split(*raw.official_test)
    else:
        test = to_split(raw.x[splits.test], raw.y[splits.test])
    validation = to_split(raw.x[splits.validation], raw.y[splits.validation])
    classes = None if is_regression else raw.info.classes
    return PreparedData(train, validation, test, preprocessing, classes, scaling)
