"""Where the rows come from, and how they are split."""

from typing import Annotated, Literal

from pydantic import Field

from regcore.data.catalogue import BUILTIN, TORCHVISION, DatasetInfo
from regcore.frozen import Frozen

BuiltinName = Literal["digits", "mnist-5k", "breast-cancer", "wine", "diabetes"]
TorchvisionName = Literal["MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100"]

_Fraction = Annotated[float, Field(ge=0, lt=1)]


class _Data(Frozen):
    validation_fraction: _Fraction = 0.2
    """Share of the rows that remain after the test split; may be 0."""
    split_seed: int = Field(default=0, ge=0, lt=2**32)
    """The same seed gives the same split, whatever the training seed."""
    train_limit: int | None = Field(default=None, ge=1)
    """Train on only this many rows, chosen in the classes' proportions; null for all."""
    standardize: bool | None = None
    """Scale features to mean 0 and variance 1 by the train split; null means yes for tables, no for images."""
    standardize_target: bool | None = None
    """Scale a regression's targets to mean 0 and variance 1 by the train split, so that the objective is of scaled
    targets; predictions and metrics stay in the target's own unit. null means yes for regression."""


class BuiltinData(_Data):
    """Small real data that come with RegCore; no network is needed."""

    kind: Literal["builtin"]
    name: BuiltinName
    """Which data set."""
    test_fraction: _Fraction = 0.2
    """Share of all rows for the test split, which is drawn first; may be 0."""

    @property
    def info(self) -> DatasetInfo:
        return BUILTIN[self.name]


class TorchvisionData(_Data):
    """Image data sets from the operator's data directory, in torchvision's file formats."""

    kind: Literal["torchvision"]
    name: TorchvisionName
    """Which data set, by its torchvision name."""
    test_fraction: _Fraction | None = None
    """null: the official test images. A number: this share of the official train images instead."""

    @property
    def info(self) -> DatasetInfo:
        return TORCHVISION[self.name]


AnyData = Annotated[BuiltinData | TorchvisionData, Field(discriminator="kind")]
