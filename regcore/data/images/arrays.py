"""Images that come as one array of numbers, as a column of a set."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from regcore.data.files.entry import MediaColumn
from regcore.data.images.cells import array_cells, form_of, pixels_of
from regcore.data.images.pixels import (
    as_bytes_if_whole,
    axes_of,
    channels_first,
    check_finite,
    dtype_of,
    in_plain_type,
    white_of,
    without_alpha,
)
from regcore.data.media_facts import ImageFacts
from regcore.data.tables.table import Table
from regcore.errors import InvalidDataError

_LAYERED = 4


def read_array(batch: NDArray[Any]) -> MediaColumn:
    """The images of an array: grey (N, H, W), or with channels in the second or the last axis.

    Bytes are from 0 to 255, fractions from 0 to 1 or from 0 to 255, as their largest number tells.

    Raises:
        InvalidDataError: Its axes are not those of images, it has no pixels, or a number is not finite.
    """
    if batch.dtype.kind not in "biuf":
        raise InvalidDataError(
            f"images must be arrays of numbers; received one of type {batch.dtype!s:.80}",
            remedy="Make them numbers: x.astype('uint8').",
        )
    if not batch.size:
        raise InvalidDataError(f"an array of shape {batch.shape} holds no pixels", remedy="Give at least one image.")
    check_finite(batch)
    images = as_bytes_if_whole(in_plain_type(channels_first(batch, axes_of(batch.shape))))
    maximum, warnings = white_of(images)
    if images.shape[1] == _LAYERED:
        images = without_alpha(images, maximum)
    facts = ImageFacts(
        heights=(images.shape[2], images.shape[2]),
        widths=(images.shape[3], images.shape[3]),
        all_grey=bool((images == images[:, :1]).all()),
        shape=images.shape[1:],
        maximum=maximum,
        dtype=dtype_of(images),
    )
    return MediaColumn(array_cells(images), facts, warnings)


def joined_images(parts: Mapping[str, Table]) -> MediaColumn:
    """The images of several tables as one column, kept as those of the first.

    Args:
        parts: By what messages call them.

    Raises:
        InvalidDataError: They have other shapes, or numbers of another type.
    """
    columns = {name: _images_of(part) for name, part in parts.items()}
    (first, *_), facts = columns.values(), [one.facts for one in columns.values()]
    alike = [_like(column, first.facts, f"the {name} rows") for name, column in columns.items()]
    whole = first.facts.model_copy(
        update={
            "heights": (min(one.heights[0] for one in facts), max(one.heights[1] for one in facts)),
            "widths": (min(one.widths[0] for one in facts), max(one.widths[1] for one in facts)),
            "all_grey": all(one.all_grey for one in facts),
        }
    )
    cells = pa.chunked_array([chunk for one in alike for chunk in one.cells.chunks], alike[0].cells.type)
    warnings = [warning for part in parts.values() for warning in part.facts.warnings if warning.column is None]
    return MediaColumn(cells, whole, warnings)


@dataclass(frozen=True)
class _Images:
    cells: pa.ChunkedArray
    facts: ImageFacts


def _images_of(table: Table) -> _Images:
    column = next(column for column in table.facts.columns if column.image is not None)
    assert column.image is not None, "it is what was looked for"
    return _Images(table.columns[column.name], column.image)


def _like(column: _Images, first: ImageFacts, what: str) -> _Images:
    """The same, kept as the first are: whole numbers among fractions become such too."""
    facts = column.facts
    if (facts.shape, facts.dtype) == (first.shape, first.dtype):
        return column
    remedy = "Give them as those of x: of one shape, and with the same white."
    if facts.shape is None or facts.shape != first.shape:
        raise InvalidDataError(f"{what} are images of {_said(facts)}, and those of x of {_said(first)}", remedy=remedy)
    images = pixels_of(column.cells, form_of(facts), facts.shape)
    cast = images.astype(first.dtype)
    if not np.array_equal(cast, images):
        raise InvalidDataError(
            f"{what} are images of type {facts.dtype}, and those of x of type {first.dtype}", remedy=remedy
        )
    return _Images(array_cells(cast), facts)


def _said(facts: ImageFacts) -> str:
    return "files" if facts.shape is None else f"shape {facts.shape}"
