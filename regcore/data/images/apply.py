"""Raw images, of which a trained network is asked: arrays, Pillow's images, files, folders and archives."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from regcore.data.encoded import Encoded
from regcore.data.images.cells import form_of, pixels_of, resized
from regcore.data.images.handed import holds_images, images_of, is_image_path
from regcore.data.images.pixels import (
    ArrayForm,
    as_bytes_if_whole,
    axes_of,
    channels_first,
    in_plain_type,
    white_of,
    without_alpha,
)
from regcore.data.images.preprocessing import ImagePreprocessing
from regcore.data.load import scale_images
from regcore.data.media_facts import ImageFacts
from regcore.data.tables.read import read_file
from regcore.data.tables.table import Table
from regcore.errors import InvalidDataError

_BATCH_AXES = (3, 4)
_LAYERED = 4
_FILE_MAXIMUM = 255.0


def apply_to_images(preprocessing: ImagePreprocessing, raw_rows: Any, dtype: Any) -> Encoded:
    """Rows of the network, and notes on pixels that are in another unit than those of training.

    Args:
        preprocessing: What was fitted on the train rows.
        raw_rows: Arrays as those of training, or of any size where files were learned from; a list of Pillow's images
            or of paths; the path of an image, a folder, a ZIP archive or an NPZ file; or a `Table` of them.
        dtype: float32 or float64; pixels are scaled in it, as in training.

    Raises:
        InvalidDataError: They are no images, or of a shape that training did not have.
    """
    if is_image_path(raw_rows):
        raw_rows = [raw_rows]
    if isinstance(raw_rows, str | Path):
        raw_rows = read_file(Path(raw_rows), has_classes=False)
    if isinstance(raw_rows, Table):
        return _of_table(preprocessing, raw_rows, dtype)
    if isinstance(raw_rows, list | tuple) and holds_images(raw_rows):
        column = images_of(raw_rows)
        assert isinstance(column.facts, ImageFacts), "they are images"
        return _of_cells(preprocessing, column.cells, column.facts, dtype)
    return _of_array(preprocessing, _array(raw_rows), dtype)


def _of_table(preprocessing: ImagePreprocessing, table: Table, dtype: Any) -> Encoded:
    column = next((column for column in table.facts.columns if column.image is not None), None)
    if column is None or column.image is None:
        raise InvalidDataError(
            f"the model takes images, and these rows are of modality {table.facts.modality}",
            remedy="Give a folder or a ZIP archive of PNG, JPEG or WebP images.",
        )
    return _of_cells(preprocessing, table.columns[column.name], column.image, dtype)


def _of_cells(preprocessing: ImagePreprocessing, cells: Any, facts: ImageFacts, dtype: Any) -> Encoded:
    form = form_of(facts)
    if form is not None:
        return _of_array(preprocessing, pixels_of(cells, form, form.shape), dtype)
    pixels = pixels_of(cells, None, preprocessing.feature_shape)
    return Encoded(preprocessing.standardize(scale_images(pixels, _FILE_MAXIMUM, dtype)))


def _of_array(preprocessing: ImagePreprocessing, batch: NDArray[Any], dtype: Any) -> Encoded:
    if not np.isfinite(batch).all():
        raise InvalidDataError(
            "Rows must be finite numbers; received NaN or infinity", remedy="Fill or drop missing values."
        )
    form, maximum, notes = preprocessing.array, preprocessing.image_maximum, []
    if form is None:
        images = as_bytes_if_whole(in_plain_type(channels_first(batch, axes_of(batch.shape))))
        maximum, said = white_of(images)
        notes = [warning.message for warning in said]
    else:
        images = _as_trained(form, batch)
        maximum, notes = _unit_of(batch, form, maximum)
    if images.shape[1] == _LAYERED:
        images = without_alpha(images, maximum)
    if images.shape[1:] != preprocessing.feature_shape:
        images = resized(_in_type(images, form), preprocessing.feature_shape)
    return Encoded(preprocessing.standardize(scale_images(images, maximum, dtype)), notes=notes)


def _as_trained(form: ArrayForm, batch: NDArray[Any]) -> NDArray[Any]:
    """The batch as (N, C, H, W), whose images have the shape of training's."""
    shape = form.shape
    if batch.ndim > 1 and batch.shape[1:] in {shape, (int(np.prod(shape)),)}:
        return batch.reshape(-1, *shape)
    if batch.ndim in _BATCH_AXES:
        images = channels_first(batch, axes_of(batch.shape))
        if images.shape[1:] in {shape, (_LAYERED, *shape[1:])}:
            return images
    raise InvalidDataError(
        f"Expected rows of shape {('N', *shape)}; received an array of shape {batch.shape}".replace("'N'", "N"),
        remedy="Give a batch of rows, also where it is a single one.",
    )


def _unit_of(batch: NDArray[Any], form: ArrayForm, maximum: float) -> tuple[float, list[str]]:
    """The number that is white: training's, unless the type of the numbers can only mean another."""
    if batch.dtype.kind == "f" and maximum >= _FILE_MAXIMUM and 0 < batch.max(initial=0) <= 1 and (batch % 1).any():
        return 1.0, [f"pixels are fractions up to 1 and are taken as in [0, 1]; in training {maximum:g} was white."]
    if batch.dtype == np.uint8 and form.dtype != "uint8" and maximum == 1 and batch.max(initial=0) > 1:
        return _FILE_MAXIMUM, ["pixels are bytes and are taken as from 0 to 255; in training 1 was white."]
    return maximum, []


def _in_type(images: NDArray[Any], form: ArrayForm | None) -> NDArray[Any]:
    """In the type that the set's are kept in, because bytes are rounded where they are resized."""
    if form is None or form.dtype == "uint8":
        return as_bytes_if_whole(in_plain_type(images))
    return images.astype(form.dtype)


def _array(raw_rows: ArrayLike) -> NDArray[Any]:
    try:
        held = raw_rows.detach().cpu() if hasattr(raw_rows, "detach") else raw_rows
        rows = np.asarray(held)
        return rows if rows.dtype.kind in "uif" else np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidDataError(
            f"Rows must be an array of numbers of equal length: {error}",
            remedy="Give a list of rows, or a NumPy array.",
        ) from error
