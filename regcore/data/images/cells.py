"""Cells of a set of images, files or arrays, as pixels of one size."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from regcore.data.images.decode import decode
from regcore.data.images.pixels import ArrayForm
from regcore.data.images.threads import each
from regcore.data.media_facts import ImageFacts
from regcore.errors import InvalidDataError
from regcore.shapes import Shape

_LUMA = (0.299, 0.587, 0.114)
"""Grey of red, green and blue. Source: Recommendation ITU-R BT.601, as Pillow has it."""


def array_cells(batch: NDArray[Any]) -> pa.ChunkedArray:
    """Images (N, C, H, W) of a plain type as cells: the bytes of each."""
    flat = np.ascontiguousarray(batch).reshape(len(batch), -1)
    kind = pa.binary(flat.shape[1] * flat.itemsize)
    buffers: list[pa.Buffer | None] = [None, pa.py_buffer(flat)]
    return pa.chunked_array([pa.Array.from_buffers(kind, len(flat), buffers)], kind)


def form_of(facts: ImageFacts) -> ArrayForm | None:
    """How images are kept that came as arrays; None for files."""
    return None if facts.shape is None or facts.dtype is None else ArrayForm(facts.shape, facts.dtype)


def pixels_of(cells: pa.ChunkedArray, form: ArrayForm | None, shape: Shape) -> NDArray[Any]:
    """Pixels of each cell, (N, *shape), as bytes or, of arrays of fractions, in their type.

    Other sizes are brought to it by bilinear interpolation over all pixels that a new one covers, whatever their
    proportions. Colours become grey by their luma; grey gets three equal channels.

    Args:
        cells: Of files or of arrays.
        form: Of the arrays; None for files.
        shape: Channels (1 or 3), height and width.

    Raises:
        InvalidDataError: A file is damaged.
    """
    if form is None:
        return _pixels_of_files(cells, shape)
    batch = np.concatenate([np.empty((0, *form.shape), form.dtype), *(_array(chunk, form) for chunk in cells.chunks)])
    return batch if form.shape == shape else resized(batch, shape)


def resized(batch: NDArray[Any], shape: Shape) -> NDArray[Any]:
    """Images (N, C, H, W) of a plain type as (N, *shape)."""
    made = np.empty((len(batch), *shape), batch.dtype)
    if batch.dtype == np.uint8:
        for row, image in zip(made, batch, strict=True):
            _put(_image_of(image), row)
        return made
    for row, image in zip(made, _in_channels(batch, shape[0]), strict=True):
        for plane, channel in zip(row, image, strict=True):
            plane[:] = _resized(Image.fromarray(np.ascontiguousarray(channel, np.float32)), shape[2], shape[1])
    return made


def described_images(cells: pa.ChunkedArray, facts: ImageFacts) -> list[str]:
    """Cells for people: `28×24 pixels, grey, 312 bytes`, the height first."""
    if facts.shape is not None:
        channels, height, width = facts.shape
        return [f"{height}×{width} pixels, {_colours(channels)}"] * len(cells)
    images = [(decode(cell).image, cell) for cell in cells.to_pylist()]
    return [
        f"{image.height}×{image.width} pixels, {_colours(len(image.getbands()))}, {len(cell):,} bytes"
        for image, cell in images
    ]


def _colours(num_channels: int) -> str:
    return "grey" if num_channels == 1 else "RGB"


def _array(chunk: pa.Array, form: ArrayForm) -> NDArray[Any]:
    """The numbers of cells, where they lie."""
    size = int(np.prod(form.shape))
    numbers: NDArray[Any] = np.frombuffer(chunk.buffers()[1], form.dtype, (chunk.offset + len(chunk)) * size)
    return numbers.reshape(-1, *form.shape)[chunk.offset :]


def _pixels_of_files(cells: pa.ChunkedArray, shape: Shape) -> NDArray[np.uint8]:
    made = np.empty((len(cells), *shape), np.uint8)
    enough = 2 * max(shape[1:])  # images may lie on a side

    def put(place: int, cell: Any) -> None:
        try:
            decoded = decode(cell.as_py(), enough=(enough, enough))
        except InvalidDataError as error:
            message = f"image {place + 1:,} {error.message}"
            raise InvalidDataError(message, remedy=error.remedy, details={"row": place + 1}) from None
        _put(decoded.image, made[place])

    begin = 0
    for chunk in cells.chunks:
        each(put, range(begin, begin + len(chunk)), chunk)
        begin += len(chunk)
    return made


def _put(image: Image.Image, row: NDArray[np.uint8]) -> None:
    """The image into a row (C, H, W)."""
    channels, height, width = row.shape
    pixels = _resized(image.convert("L" if channels == 1 else "RGB"), width, height)
    row[:] = pixels if channels == 1 else pixels.transpose(2, 0, 1)


def _resized(image: Image.Image, width: int, height: int) -> NDArray[Any]:
    fitting = image if image.size == (width, height) else image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(fitting)


def _image_of(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _in_channels(batch: NDArray[Any], channels: int) -> NDArray[Any]:
    if batch.shape[1] == channels:
        return batch
    if channels == 1:
        return np.tensordot(batch, np.asarray(_LUMA, batch.dtype), axes=(1, 0))[:, None]
    return np.repeat(batch, channels, axis=1)
