"""From the name of a built-in or torchvision set to the tensors of a run: load, split, fit, encode."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from regcore.data.features import TableFeatures
from regcore.data.images.preprocessing import fit_known_images
from regcore.data.load import RawData, load
from regcore.data.prepare import prepare_columns
from regcore.data.prepared import PreparedData, RunSpec, Split, Targets, dtype_of
from regcore.data.sounds.inputs import AUDIO
from regcore.data.sounds.tiny_speech import TINY_SPEECH_INPUTS
from regcore.data.split import Splits, split
from regcore.data.tables.facts import Reading
from regcore.data.tables.features import Feature
from regcore.data.tables.inputs import TableInputs
from regcore.data.texts.tiny_text import TINY_TEXT_INPUTS


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
