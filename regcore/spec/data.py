"""Where the rows come from, and how they are split."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator

from regcore.data.features import AnyFeatures, ColumnName
from regcore.data.tables.facts import AskedType
from regcore.frozen import Frozen

BuiltinName = Literal["digits", "mnist-5k", "breast-cancer", "wine", "diabetes", "tiny-text", "tiny-speech"]
TorchvisionName = Literal["MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100"]

MAX_COLUMNS_NAMED = 10_000

_Fraction = Annotated[float, Field(ge=0, lt=1)]


class _Data(Frozen):
    validation_fraction: _Fraction = 0.2
    """Share of the rows that remain after the test split; may be 0."""
    split_seed: int = Field(default=0, ge=0, lt=2**32)
    """The same seed gives the same split, whatever the training seed."""
    train_limit: int | None = Field(default=None, ge=1)
    """Train on only this many rows, chosen in the classes' proportions; null for all."""
    standardize: bool | None = None
    """Scale features to mean 0 and variance 1 by the train split; null means yes for tables and sounds, no for
    images."""
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


class TorchvisionData(_Data):
    """Image data sets from the operator's data directory, in torchvision's file formats."""

    kind: Literal["torchvision"]
    name: TorchvisionName
    """Which data set, by its torchvision name."""
    test_fraction: _Fraction | None = None
    """null: the official test images. A number: this share of the official train images instead."""


class _OwnTable(_Data):
    target: ColumnName | None = None
    """The column to predict. Required, but for NPZ files and arrays, whose target is `y`."""
    exclude: list[ColumnName] = Field(default=[], max_length=MAX_COLUMNS_NAMED)
    """Columns that are not features."""
    types: dict[ColumnName, AskedType] = Field(default={}, max_length=MAX_COLUMNS_NAMED)
    """How to read columns, where what was found is not what is meant."""
    split_column: ColumnName | None = None
    """A column that says `train`, `validation` or `test` for each row; it overrides the fractions."""
    group_column: ColumnName | None = None
    """Rows of equal values in this column, such as a patient's, are never in two splits."""
    features: AnyFeatures | None = None
    """How rows reach the network; null for the defaults of the set's modality, which its facts decide."""
    test_fraction: _Fraction = 0.2
    """Share of all rows for the test split, which is drawn first; may be 0."""

    @field_validator("features", mode="before")
    @classmethod
    def _of_a_table(cls, features: Any) -> Any:
        """Before there were other kinds, `kind` could be left out."""
        return {"kind": "table"} | features if isinstance(features, dict) else features


class DatasetData(_OwnTable):
    """A table that was uploaded to the server."""

    kind: Literal["dataset"]
    id: Annotated[str, StringConstraints(pattern=r"^ds_[0-9A-HJKMNP-TV-Z]{26}$")]
    """The data set's id."""


class FileData(_OwnTable):
    """A table in a file: CSV, Parquet, JSON lines or NPZ. The engine reads it; a client uploads it first."""

    kind: Literal["file"]
    path: Annotated[str, StringConstraints(min_length=1, max_length=4_096)]
    """Where the file lies; a relative path starts at the working directory."""
    header: Literal["auto", "yes", "no"] = "auto"
    """Whether the first row of a CSV file holds the columns' names."""


class ArraysData(_OwnTable):
    """What is handed to `regcore.train(spec, x, y)`."""

    kind: Literal["arrays"]


AnyData = Annotated[BuiltinData | TorchvisionData | DatasetData | FileData | ArraysData, Field(discriminator="kind")]
"""Own tables have the same fields, wherever they lie."""
