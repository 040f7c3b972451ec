"""What a run trains on: its splits, as tensors or in files, and how new rows are treated alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from regcore.data.encoded import Preprocessing
from regcore.data.preprocessing import TargetScaling, fit_target_scaling
from regcore.data.row_groups import RowGroups
from regcore.data.rows import Batch, Hash, Rows
from regcore.data.sequences import check_sequences
from regcore.data.split import Splits
from regcore.data.tables.labels import LabelType
from regcore.doubts import Doubt
from regcore.shapes import Predicted, RowInfo


class _TaskSpec(Protocol):
    @property
    def predicts(self) -> Predicted | None: ...


class _TrainingSpec(Protocol):
    @property
    def precision(self) -> str: ...


class _ResourcesSpec(Protocol):
    @property
    def max_memory_bytes(self) -> int | None: ...


class RunSpec(Protocol):
    """The parts of a job spec that preparing the data reads."""

    @property
    def data(self) -> Any:
        """Names a known set, or says what to take from a table: a field of its own for each kind."""
        ...

    @property
    def task(self) -> _TaskSpec: ...
    @property
    def training(self) -> _TrainingSpec: ...
    @property
    def resources(self) -> _ResourcesSpec: ...


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Rows as fed to the model.

    Attributes:
        x: (N, *feature_shape), float32 or float64; int64 for tokens.
        y: Class labels as int64, or numbers in the run's precision, scaled if the run scales them, (N,). Where rows are
            reconstructed they are the set's own, or 0, and nothing reads them.
        rows: Their places, from 0, in the data set, the file or the arrays that they come from, (N,); None for those of
            an official test split.
        lengths: How much of each row is in use, (N,), int64; None where rows do not vary.
        tokens: Size of the vocabulary of integer rows; None for rows of numbers.

    Raises:
        InvalidDataError: A row uses no step, or more than there are, or a token is not in the vocabulary.
    """

    x: torch.Tensor
    y: torch.Tensor
    rows: NDArray[np.int64] | None = None
    lengths: torch.Tensor | None = None
    tokens: int | None = None

    def __post_init__(self) -> None:
        if self.tokens is not None or self.lengths is not None:
            lengths = None if self.lengths is None else self.lengths.cpu().numpy()
            check_sequences(self.x.cpu().numpy(), lengths, self.tokens)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def info(self) -> RowInfo:
        """One row."""
        return RowInfo(tuple(self.x.shape[1:]), self.tokens, varies=self.lengths is not None)

    @property
    def block_rows(self) -> None:
        """In memory any row costs the same."""

    def fetch(self, numbers: torch.Tensor) -> Batch:
        """These rows, for row numbers (K, B): one gather."""
        flat, shape = numbers.flatten().to(self.x.device), numbers.shape
        x = self.x.index_select(0, flat).view(*shape, *self.x.shape[1:])
        y = self.y.index_select(0, flat).view(*shape, *self.y.shape[1:])
        lengths = None if self.lengths is None else self.lengths.index_select(0, flat).view(shape)
        return Batch(x, y, lengths)

    def expect(self, numbers: torch.Tensor) -> None:
        """They are in memory."""

    def identify(self, digest: Hash) -> None:
        """Feed every number to a digest."""
        for tensor in (self.x, self.y, self.lengths):
            if tensor is not None:
                digest.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
                digest.update(tensor.cpu().contiguous().view(torch.uint8).numpy().data)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedData:
    """The splits of a run, and everything needed to treat new rows alike; a split without rows is None.

    Attributes:
        train: What is learned from: each a `Split` in memory, or `FileRows`.
        validation: What is chosen by.
        test: What is reported.
        preprocessing: From raw rows to `x`.
        classes: Class names in label order; None unless they are predicted.
        target_scaling: From raw targets to `y`; None if they are not scaled.
        label_type: What predictions of own data are given as; None for the class numbers of a built-in set.
        doubts: What the rows show that is unlikely to be meant; pointers are into the spec.
        groups: Which rows belong together, `data.group_column`; None without such a column.
        file_places: Of rows in files: by split, their places in the data that they come from, from 0, (N,). Rows in
            memory know theirs, `Split.rows`.
        files: Of a folder or an archive, the path of the file that each row of the data is; None for other data.
    """

    train: Rows
    validation: Rows | None
    test: Rows | None
    preprocessing: Preprocessing
    classes: tuple[str, ...] | None
    target_scaling: TargetScaling | None = None
    label_type: LabelType | None = None
    doubts: tuple[Doubt, ...] = ()
    groups: RowGroups | None = None
    file_places: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    files: pa.ChunkedArray | None = None

    def row_numbers(self) -> dict[str, NDArray[np.int64] | None]:
        """By split with rows, the number of each row in the data that it comes from, from 1; None if none is known."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        places = {
            name: split.rows if isinstance(split, Split) else self.file_places.get(name)
            for name, split in splits.items()
            if split is not None
        }
        return {name: None if own is None else own + 1 for name, own in places.items()}


class Targets:
    """Targets as the model is trained on them.

    Args:
        y: Class numbers as int64, or numbers in the target's own unit, (N,).
        splits: Places in `y`.
        spec: Says whether to scale, and the precision.
        classes: None unless they are predicted.

    Attributes:
        scaling: Fitted on the train rows alone; None if they are not scaled.
    """

    def __init__(self, y: NDArray[Any], splits: Splits, spec: RunSpec, classes: tuple[str, ...] | None) -> None:
        scales = classes is None and spec.task.predicts != "rows" and spec.data.standardize_target is not False
        self.scaling: TargetScaling | None = fit_target_scaling(y[splits.train].astype(np.float64)) if scales else None
        is_unread = spec.task.predicts == "rows"
        has_labels = classes is not None or (is_unread and np.issubdtype(y.dtype, np.integer))
        self._dtype = torch.int64 if has_labels else dtype_of(spec)

    def of(self, y: NDArray[Any]) -> torch.Tensor:
        """These targets, (N,), on the CPU."""
        scaled = y if self.scaling is None else self.scaling.scaled(y)
        return torch.from_numpy(np.ascontiguousarray(scaled)).to(dtype=self._dtype)


def dtype_of(spec: RunSpec) -> torch.dtype:
    """Of the rows: bfloat16 is for the model's arithmetic, and they stay float32."""
    return torch.float64 if spec.training.precision == "float64" else torch.float32
