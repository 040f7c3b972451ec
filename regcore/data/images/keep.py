"""What a set keeps of an image: its file as it is, or a smaller one if it has more pixels than a network is given."""

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from regcore.data.images.decode import Decoded, decode
from regcore.data.images.sizes import LONGER_SIDE, SHORTER_SIDE

_SPARE_BYTES: Final = 65_536
"""What a file may hold beside its pixels, as notes and a thumbnail of a camera, to be kept as it is."""
_QUALITY: Final = 90


@dataclass(frozen=True, slots=True)
class Kept:
    """An image of a set.

    Attributes:
        cell: A PNG, JPEG or WebP file.
        size: Width and height of the image that it was made from.
        is_smaller: Whether it has fewer pixels than that.
        is_grey: Whether it has no colours.
        notes: What is done to it when it is decoded.
    """

    cell: bytes
    size: tuple[int, int]
    is_smaller: bool
    is_grey: bool
    notes: list[str]


def keep(content: bytes) -> Kept:
    """Check a file by decoding it, and make of it what the set keeps: the same for the same bytes.

    Raises:
        InvalidDataError: As `decode`.
    """
    decoded = decode(content, enough=(SHORTER_SIDE, SHORTER_SIDE))
    kept = _shrunk(decoded)
    if kept is not None:
        return _kept(_as_jpeg(kept), decoded, is_smaller=True)
    spared = decoded.image.width * decoded.image.height * len(decoded.image.getbands()) + _SPARE_BYTES
    return _kept(content if len(content) <= spared else _as_png(decoded.image), decoded, is_smaller=False)


def keep_decoded(decoded: Decoded) -> Kept:
    """The same of an image that a program holds."""
    kept = _shrunk(decoded)
    if kept is not None:
        return _kept(_as_jpeg(kept), decoded, is_smaller=True)
    return _kept(_as_png(decoded.image), decoded, is_smaller=False)


def _kept(cell: bytes, decoded: Decoded, *, is_smaller: bool) -> Kept:
    return Kept(cell, decoded.size, is_smaller, _is_grey(decoded.image), decoded.notes)


def _shrunk(decoded: Decoded) -> Image.Image | None:
    """The image with sides that are kept; None if it has them."""
    width, height = decoded.size
    scale = min(1.0, SHORTER_SIDE / min(width, height))
    wanted = (min(LONGER_SIDE, round(width * scale)), min(LONGER_SIDE, round(height * scale)))
    if wanted == decoded.size:
        return None
    return decoded.image.resize(wanted, Image.Resampling.BILINEAR)


def _as_jpeg(image: Image.Image) -> bytes:
    """As cameras save: a photo takes about 30 kB, and 20,000 of them fit into a reader's memory."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, subsampling="4:2:0")
    return file.getvalue()


def _as_png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "L":
        return True
    pixels = np.asarray(image)
    return bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all())
