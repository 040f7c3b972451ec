"""From a spec to the tensors of a run: load, split, fit the scaling on the train rows, standardize."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import psutil
import pyarrow as pa
import torch
from numpy.typing import NDArray

from regcore.data.encoded import Columns, Preprocessing
from regcore.data.features import TableFeatures
from regcore.data.images.preprocessing import fit_known_images
from regcore.data.inputs import Inputs, standardizes
from regcore.data.load import RawData, load
from regcore.data.preprocessing import TargetScaling, fit_target_scaling
from regcore.data.row_groups import RowGroups
from regcore.data.rows import Batch, Hash, Rows
from regcore.data.sequences import check_sequences
from regcore.data.sounds.inputs import AUDIO
from regcore.data.sounds.tiny_speech import TINY_SPEECH_INPUTS
from regcore.data.split import Splits, split
from regcore.data.tables.facts import Reading
from regcore.data.tables.features import Feature
from regcore.data.tables.inputs import TableInputs
from regcore.data.tables.labels import LabelType
from regcore.data.texts.tiny_text import TINY_TEXT_INPUTS
from regcore.doubts import Doubt
from regcore.errors import InvalidDataError, OutOfMemoryError
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


def prepare(spec: RunSpec, data_dir: Path | None = None, *, device: torch.device | str = "cpu") -> PreparedData:
    """Load a built-in or torchvision set, split and standardize; statistics come from the train rows alone.

    Args:
        spec: A job spec (resolved or not).
        data_dir: The folder of torchvision's sets.
        device: Where the tensors go.

    Raises:
        InvalidDataError: The data cannot be read.
    """
    is_double = spec.training.precision == "float64"
    raw = load(spec.data, data_dir, image_dtype=np.float64 if is_double else np.float32)
    splits = split(raw, spec.data)
    classes = raw.info.classes if spec.task.predicts in (None, "classes") else None
    if raw.info.kind == "table":
        return _prepare_known_table(raw, splits, spec, classes, device)
    if raw.info.kind == "text":
        return _prepare_known_texts(raw, splits, spec, classes, device)
    if raw.info.kind == "audio":
        return _prepare_known_sounds(raw, splits, spec, classes, device)
    targets = Targets(raw.y, splits, spec, classes)
    assert raw.image_maximum is not None, "tables and sounds went another way"
    preprocessing = fit_known_images(
        raw.x[splits.train], image_maximum=raw.image_maximum, standardize=spec.data.standardize
    )

    def to_split(x: NDArray[Any], y: torch.Tensor, rows: NDArray[np.int64] | None) -> Split | None:
        if not len(y):
            return None
        features = torch.from_numpy(np.ascontiguousarray(preprocessing.standardize(x)))
        return Split(features.to(device=device, dtype=dtype_of(spec)), y.to(device), rows)

    def drawn(rows: NDArray[np.int64]) -> Split | None:
        return to_split(raw.x[rows], targets.of(raw.y[rows]), rows)

    train = drawn(splits.train)
    assert train is not None, "the plan refuses an empty train split"
    if splits.test is None:
        assert raw.official_test is not None, "split() leaves test out only for an official test split"
        test = to_split(raw.official_test[0], targets.of(raw.official_test[1]), None)
    else:
        test = drawn(splits.test)
    return PreparedData(train, drawn(splits.validation), test, preprocessing, classes, targets.scaling)


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


def _prepare_known_table(
    raw: RawData, splits: Splits, spec: RunSpec, classes: tuple[str, ...] | None, device: torch.device | str
) -> PreparedData:
    names = raw.info.columns
    assert names is not None, "a table has columns"
    reading = Reading(num_missing=0, num_distinct=0)
    return prepare_columns(
        TableInputs(tuple(Feature(name, "number", reading) for name in names), TableFeatures(missing="error")),
        {name: pa.chunked_array([np.ascontiguousarray(raw.x[:, k])]) for k, name in enumerate(names)},
        raw.y,
        splits,
        spec,
        classes,
        given=names,
        device=device,
    )


def _prepare_known_texts(
    raw: RawData, splits: Splits, spec: RunSpec, classes: tuple[str, ...] | None, device: torch.device | str
) -> PreparedData:
    names = TINY_TEXT_INPUTS.names
    columns = {name: pa.chunked_array([pa.array(raw.x, pa.string())]) for name in names}
    return prepare_columns(TINY_TEXT_INPUTS, columns, raw.y, splits, spec, classes, given=names, device=device)


def _prepare_known_sounds(
    raw: RawData, splits: Splits, spec: RunSpec, classes: tuple[str, ...] | None, device: torch.device | str
) -> PreparedData:
    columns = {AUDIO: pa.chunked_array([pa.array(raw.x, pa.binary())])}
    return prepare_columns(TINY_SPEECH_INPUTS, columns, raw.y, splits, spec, classes, given=[AUDIO], device=device)


def prepare_columns(
    inputs: Inputs,
    columns: Columns,
    y: NDArray[Any],
    splits: Splits,
    spec: RunSpec,
    classes: tuple[str, ...] | None,
    *,
    given: Sequence[str],
    target: str | None = None,
    numbers: NDArray[np.int64] | None = None,
    shown_numbers: NDArray[np.int64] | None = None,
    device: torch.device | str = "cpu",
) -> PreparedData:
    """The splits of a set of rows.

    Args:
        inputs: What the network gets of it.
        columns: What `inputs.read` gives of its columns.
        y: Class numbers as int64, or numbers in the target's own unit, (N,).
        splits: Places in `y`.
        spec: Resolved or not.
        classes: None unless they are predicted.
        given: All columns of the rows, the target left out.
        target: The target's column; None if it has no name.
        numbers: For each place in `y` its row in the columns; None if they are the same.
        shown_numbers: What `Split.rows` gives for each row of the columns; None if it is the row's own place.
        device: Where the tensors go.

    Raises:
        OutOfMemoryError: The rows of the network would not fit into the free memory.
    """
    targets = Targets(y, splits, spec, classes)
    dtype = dtype_of(spec)
    assert splits.test is not None, "a table has no official test split"
    num_rows = len(splits.train) + len(splits.validation) + len(splits.test)
    _check_room(num_rows, inputs, dtype.itemsize)

    def taken(places: NDArray[np.int64]) -> Columns:
        rows = pa.array(places if numbers is None else numbers[places])
        return {name: columns[name].take(rows) for name in inputs.names}

    standardize = standardizes(inputs, spec.data)
    preprocessing = inputs.fit(taken(splits.train), standardize=standardize, given=given, target=target)

    doubts: list[Doubt] = []

    def to_split(places: NDArray[np.int64], name: str) -> Split | None:
        if not len(places):
            return None
        encoded = preprocessing.encode(taken(places), np.float64 if dtype == torch.float64 else np.float32)
        if encoded.num_readable == 0:
            raise _unreadable(name, len(places))
        doubts.extend(replace(one, message=f"In the {name} split, {one.message}") for one in encoded.doubts)
        rows = places if numbers is None else numbers[places]
        shown = rows if shown_numbers is None else shown_numbers[rows]
        lengths = None if encoded.lengths is None else torch.from_numpy(encoded.lengths).to(device)
        x = torch.from_numpy(encoded.x).to(device)
        return Split(x, targets.of(y[places]).to(device), shown, lengths, inputs.row.tokens)

    train = to_split(splits.train, "train")
    assert train is not None, "the plan refuses an empty train split"
    validation, test = to_split(splits.validation, "validation"), to_split(splits.test, "test")
    return PreparedData(train, validation, test, preprocessing, classes, targets.scaling, doubts=tuple(doubts))


def _unreadable(name: str, num_rows: int) -> InvalidDataError:
    if name == "train":
        return InvalidDataError(
            f"none of the {num_rows:,} train texts has a word, so there is nothing to learn from",
            remedy="Name another column (data.features.column), or correct the texts.",
        )
    return InvalidDataError(
        f"none of the {num_rows:,} {name} texts has a word that the train texts have, so nothing tells them apart",
        remedy="Split otherwise (data.split_seed, data.split_column), train on more texts, or on pieces of words "
        "(data.features.tokenizer bpe).",
        details={"split": name},
    )


_NARROWER: Final = {
    "table": "Lower features.max_categories, exclude columns with many categories, or use fewer rows.",
    "image": "Lower features.size, or use fewer images (train_limit).",
    "text": "Lower features.max_tokens, or use fewer texts (train_limit).",
    "audio": "Lower features.max_duration_s, or use fewer sounds (train_limit).",
}


def _check_room(num_rows: int, inputs: Inputs, itemsize: int) -> None:
    """Count the rows of the network before they are made: a column of 10,000 categories takes 10,001 places."""
    width = inputs.row.num_values
    needed_bytes, free_bytes = num_rows * width * itemsize, psutil.virtual_memory().available
    if needed_bytes > free_bytes:
        raise OutOfMemoryError(
            f"{num_rows:,} rows of {width:,} numbers need {needed_bytes / 2**30:,.1f} GiB, and "
            f"{free_bytes / 2**30:,.1f} GiB are free",
            remedy=_NARROWER[inputs.modality],
            details={"num_rows": num_rows, "width": width, "needed_bytes": needed_bytes},
        )
