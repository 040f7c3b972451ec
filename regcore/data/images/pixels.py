"""Arrays of pixels as programs hold them: which axis is what, and which number is white."""

from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from regcore.data.tables.facts import TableWarning
from regcore.errors import InvalidDataError
from regcore.shapes import Shape

Dtype = Literal["uint8", "float32", "float64"]
Axes = Literal["grey", "first", "last"]
"""Of a batch: (N, H, W), (N, C, H, W) or (N, H, W, C)."""

CHANNELS: Final = (1, 3, 4)
"""Grey, colours, and colours with a fourth channel that says how opaque a pixel is."""
_BYTE: Final = 255
_TWO_BYTES: Final = 65_535
_DIM: Final = 0.5
"""Of white: images that are darker everywhere may have another white."""
_OVERSHOOT: Final = 2.0
"""Numbers up to it beside fractions are in [0, 1], but for what resizing by cubic curves adds."""


@dataclass(frozen=True, slots=True)
class ArrayForm:
    """How a set keeps images that came as arrays: the numbers of each as one cell.

    Attributes:
        shape: Channels, height and width.
        dtype: Of the numbers.
    """

    shape: Shape
    dtype: Dtype


def axes_of(shape: Shape) -> Axes:
    """What the axes of a batch of this shape are.

    Raises:
        InvalidDataError: That cannot be told, or they are no images.
    """
    if len(shape) == 3:
        return "grey"
    is_first, is_last = shape[1] in CHANNELS, shape[3] in CHANNELS
    if is_first != is_last:
        return "first" if is_first else "last"
    held = f"an array of shape {shape}"
    if is_first:
        raise InvalidDataError(
            f"{held} may hold its channels in the second axis or in the last",
            remedy="Give grey images as (N, height, width).",
        )
    raise InvalidDataError(
        f"images are arrays of (N, height, width), (N, channels, height, width) or (N, height, width, channels), with "
        f"1, 3 or 4 channels; received {held}",
        remedy="Take the channels that are grey or colours, or make each row flat: x.reshape(len(x), -1).",
    )


def dtype_of(batch: NDArray[Any]) -> Dtype:
    """The name of a plain type."""
    for known in get_args(Dtype):
        if batch.dtype == known:
            found: Dtype = known
            return found
    raise TypeError(f"expected one of {', '.join(get_args(Dtype))}; received {batch.dtype}")


def channels_first(batch: NDArray[Any], axes: Axes) -> NDArray[Any]:
    """The same as (N, C, H, W), without a copy."""
    if axes == "grey":
        return batch[:, None]
    return batch.transpose(0, 3, 1, 2) if axes == "last" else batch


def in_plain_type(batch: NDArray[Any]) -> NDArray[Any]:
    """Fractions become float32 or float64; whole numbers bytes, else float32 or, beyond 2²⁴, float64."""
    if batch.dtype in (np.uint8, np.float32, np.float64):
        return batch
    if batch.dtype.kind == "b":
        return batch.astype(np.uint8)
    if batch.dtype.kind == "f":
        return batch.astype(np.float32 if batch.dtype.itemsize < 8 else np.float64)
    lowest, highest = (int(batch.min()), int(batch.max())) if batch.size else (0, 0)
    if lowest >= 0 and highest <= _BYTE:
        return batch.astype(np.uint8)
    largest = max(-lowest, highest)
    return batch.astype(np.float32 if largest <= 2**24 else np.float64)


def as_bytes_if_whole(batch: NDArray[Any]) -> NDArray[Any]:
    """As uint8 if no number is changed by that."""
    if batch.dtype == np.uint8 or not batch.size or batch.min() < 0 or batch.max() > _BYTE:
        return batch
    small = batch.astype(np.uint8)
    return small if np.array_equal(small, batch) else batch


def without_alpha(batch: NDArray[Any], maximum: float) -> NDArray[Any]:
    """Images of 4 channels, (N, 4, H, W), laid on white: 3 channels, of the same type."""
    opacity = batch[:, 3:].astype(np.float64) / maximum
    laid = batch[:, :3] * opacity + maximum * (1 - opacity)
    return (np.rint(laid) if batch.dtype == np.uint8 else laid).astype(batch.dtype)


def check_finite(batch: NDArray[Any]) -> None:
    """Refuse NaN and infinity.

    Raises:
        InvalidDataError: There are; the first image is named, from 1.
    """
    if batch.dtype.kind != "f" or (isfinite(float(batch.min(initial=0))) and isfinite(float(batch.max(initial=0)))):
        return
    row = int(np.flatnonzero(~np.isfinite(batch).reshape(len(batch), -1).all(axis=1))[0]) + 1
    raise InvalidDataError(
        f"pixels must be finite numbers; image {row:,} holds NaN or infinity",
        remedy="Replace it, or leave the image out.",
        details={"row": row},
    )


def white_of(batch: NDArray[Any]) -> tuple[float, list[TableWarning]]:
    """The number that stands for white, 1, 255 or 65535, by all of the numbers; and what is doubtful about that."""
    lowest, highest = float(batch.min(initial=0)), float(batch.max(initial=0))
    held = f"Pixels are numbers from {lowest:.6g} to {highest:.6g}"
    is_whole = batch.dtype == np.uint8 or bool((batch == np.rint(batch)).all())
    if lowest < 0 or highest > (_TWO_BYTES if is_whole else _BYTE):
        return 1.0, [
            TableWarning(
                code="pixels_not_scaled",
                message=f"{held}, which is neither [0, 1] nor 0 to 255: they are taken as they are.",
                remedy="data.standardize true scales each channel by the train split; or give pixels in [0, 1].",
            )
        ]
    if highest <= 1 or (highest <= _OVERSHOOT and not is_whole):
        return 1.0, [] if highest <= 1 else [_taken_as(held, "as in [0, 1]", "Clip them: x.clip(0, 1).")]
    white = _BYTE if highest <= _BYTE else _TWO_BYTES
    if white == _TWO_BYTES or highest < _DIM * white:
        said = f"as from 0 (black) to {white:,} (white)"
        return float(white), [_taken_as(held, said, "Divide them by the number that is white, if it is another.")]
    return float(white), []


def _taken_as(held: str, how: str, remedy: str) -> TableWarning:
    return TableWarning(code="pixels_ambiguous", message=f"{held}: they are taken {how}.", remedy=remedy)
