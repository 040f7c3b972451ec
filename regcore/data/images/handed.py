"""Images that a program holds: arrays, tensors, Pillow's images, or paths of files."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from regcore.data.files.entry import Entry, MediaColumn
from regcore.data.files.kinds import ENDINGS, ending_of
from regcore.data.images.arrays import read_array
from regcore.data.images.decode import as_meant
from regcore.data.images.keep import Kept, keep_decoded
from regcore.data.images.read import Collected, read_images
from regcore.data.images.threads import each
from regcore.errors import InvalidDataError

_BATCH_AXES: Final = (3, 4)
_IMAGE_AXES: Final = (2, 3)


def holds_images(x: Any) -> bool:
    """Whether these rows are images: an array of three axes or four, or a list of images or of paths of images."""
    if _is_array(x):
        return x.ndim in _BATCH_AXES
    if not isinstance(x, list | tuple) or not len(x):
        return False
    return all(map(_is_pillow, x)) or all(map(is_image_path, x)) or _are_arrays(x)


def images_of(x: Any) -> MediaColumn:
    """These images.

    Raises:
        InvalidDataError: A file cannot be read, or an array is no batch of images.
    """
    if _is_array(x):
        return read_array(_as_numpy(x))
    if _are_arrays(x):
        return read_array(_stacked([_as_numpy(one) for one in x]))
    if _is_pillow(x[0]):
        collected = Collected()
        collected.add(each(_kept, x))
        return collected.column()
    return read_images([_entry(Path(path)) for path in x], lambda share: None)


def is_image_path(value: Any) -> bool:
    """Whether a value is the path of an image, by its ending."""
    return isinstance(value, str | Path) and ENDINGS.get(ending_of(str(value))) == "image"


def _entry(path: Path) -> Entry:
    def read() -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise InvalidDataError(
                f"{path} cannot be read: {error.strerror}", remedy="Give paths of files that this user may read."
            ) from None

    return Entry(str(path), 0, read)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or (hasattr(value, "detach") and hasattr(value, "ndim"))


def _are_arrays(x: Sequence[Any]) -> bool:
    return all(_is_array(one) and one.ndim in _IMAGE_AXES for one in x)


def _is_pillow(value: Any) -> bool:
    """Whether it is Pillow's, which is not imported to find out."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def _as_numpy(value: Any) -> NDArray[Any]:
    """Tensors as arrays; NumPy has no bfloat16."""
    if not hasattr(value, "detach"):
        return np.asarray(value)
    held = value.detach().cpu()
    is_short = str(held.dtype) == "torch.bfloat16"
    converted: NDArray[Any] = held.double().numpy().astype(np.float32) if is_short else held.numpy()
    return converted


def _stacked(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    first = arrays[0].shape
    for place, array in enumerate(arrays, start=1):
        if array.shape != first:
            raise InvalidDataError(
                f"images as arrays must be of one shape; the first is of {first} and image {place:,} of {array.shape}",
                remedy="Give Pillow's images or paths instead, which are brought to one size.",
                details={"row": place},
            )
    return np.stack(arrays)


def _kept(image: Any) -> Kept:
    try:
        image.load()
        return keep_decoded(as_meant(image, image.size))
    except (OSError, SyntaxError, ValueError) as error:
        raise InvalidDataError(
            f"an image of x cannot be read: {error}", remedy="Give images of mode L or RGB: image.convert('RGB')."
        ) from None
