"""From the bytes of a PNG, JPEG or WebP file to an image as its maker saw it: upright, in grey or in colours, 8 bits.

The format is what the content says, whatever the file is called. Pillow's readers of other formats are never asked:
that of EPS would start another program.
"""

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import numpy as np
from PIL import Image, ImageChops
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import jpeg_factory
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from regcore.errors import InvalidDataError

MAX_PIXELS: Final = 40_000_000
"""The most pixels that are decoded of one image, as its header claims them. A JPEG is decoded at a fraction of its size
if that is enough, and may have more."""
_MANY_PIXELS: Final = 5_000_000
_one_large = Lock()
"""Held while an image of many pixels is decoded, which takes up to ten bytes for each: one of them at a time."""
_OTHERS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"%!PS", "an EPS or PostScript program"),
    (b"\xc5\xd0\xd3\xc6", "an EPS program"),
    (b"%PDF", "a PDF document"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML document"),
)
_DAMAGED: Final = (
    OSError, SyntaxError, ValueError, EOFError, OverflowError, IndexError, KeyError, TypeError,
    struct.error, zlib.error,
)  # fmt: skip
"""What Pillow raises of bytes that are not what they should be."""
_ORIENTATION: Final = 0x0112
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By the orientation that a camera notes in EXIF, what turns the image upright."""
_LYING: Final = (_UPRIGHT[5], _UPRIGHT[6], _UPRIGHT[7], _UPRIGHT[8])
"""Those that exchange width and height."""
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_DEPTH_PLACE: Final = 24
"""Of the byte in a PNG file that holds the bits of a channel."""
_DEEP: Final = 16
_OPAQUE: Final = 255

TURNED: Final = "were turned upright as their EXIF says"
PALETTE: Final = "have a palette"
ALPHA: Final = "have transparent parts, which are laid on white"
DEEP: Final = "have 16 bits a channel, of which the upper 8 are kept"
INKS: Final = "are in printing inks (CMYK)"
FRAMES: Final = "have several frames, of which the first is taken"


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """An image as it is meant.

    Attributes:
        image: Upright, in mode L (grey) or RGB.
        size: Its width and height in the file, upright too; those of `image` may be smaller.
        notes: What had to be done to it, as the end of a sentence.
    """

    image: Image.Image
    size: tuple[int, int]
    notes: list[str]


def decode(content: bytes, *, enough: tuple[int, int] | None = None) -> Decoded:
    """Decode a file, whole.

    Args:
        content: Of the file.
        enough: A width and height: a larger JPEG may be decoded at a fraction of its size, never below these.

    Raises:
        InvalidDataError: It is no PNG, JPEG or WebP image, has too many pixels, or is damaged. The message goes on
            after the file's name.
    """
    read = _reader_of(content)
    if read is None:
        raise _other_kind(content)
    try:
        image = read(io.BytesIO(content))
        width, height = image.size
        if enough is not None:
            image.draft(image.mode, enough)
        _check_pixels(*image.size)
        notes = [DEEP] if content.startswith(_PNG) and content[_DEPTH_PLACE] == _DEEP else []
        with _one_large if image.width * image.height > _MANY_PIXELS else nullcontext():
            image.load()
            return as_meant(image, (width, height), notes)
    except _DAMAGED as error:
        raise _damaged(error) from None


def as_meant(image: Image.Image, size: tuple[int, int], notes: Sequence[str] = ()) -> Decoded:
    """An image that is loaded, upright and in grey or colours.

    Args:
        image: Of any mode.
        size: Width and height of the file that it is from.
        notes: What is known of it.
    """
    found = list(notes)
    if getattr(image, "is_animated", False):
        found.append(FRAMES)
    turn = _UPRIGHT.get(_orientation(image))
    plain = _plain(image, found)
    if turn is None:
        return Decoded(plain, size, found)
    return Decoded(plain.transpose(turn), size[::-1] if turn in _LYING else size, [*found, TURNED])


def _check_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise InvalidDataError(
            f"claims {width:,} by {height:,} pixels, and an image may have {MAX_PIXELS:,}",
            remedy="Make it smaller.",
            details={"width": width, "height": height, "max_pixels": MAX_PIXELS},
        )


def _damaged(error: Exception) -> InvalidDataError:
    """The error of a file that cannot be decoded, as the end of a sentence."""
    said = str(error) or type(error).__name__
    return InvalidDataError(
        f"is damaged or cut short ({said:.100})", remedy="Save it again, or leave it out; a copy may be whole."
    )


def _reader_of(content: bytes) -> Callable[[io.BytesIO], ImageFile] | None:
    if content.startswith(_PNG):
        return PngImageFile
    if content.startswith(b"\xff\xd8\xff"):
        return _read_jpeg
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return WebPImageFile
    return None


def _read_jpeg(file: io.BytesIO) -> ImageFile:
    """Several images in one file, as of some cameras, too."""
    return jpeg_factory(file)


def _other_kind(content: bytes) -> InvalidDataError:
    what = "empty" if not content else "no PNG, JPEG or WebP image"
    for magic, kind in _OTHERS:
        if content.startswith(magic):
            what = f"{kind}, whatever it is called; PNG, JPEG and WebP images are read"
    return InvalidDataError(f"is {what}", remedy="Save it as PNG, JPEG or WebP, or leave it out.")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except _DAMAGED:  # notes of a camera that cannot be read say nothing, and the image is whole
        return 1


def _plain(image: Image.Image, notes: list[str]) -> Image.Image:
    """In mode L or RGB."""
    if image.mode.startswith("I;16"):
        upper: Any = np.asarray(image) >> 8
        return Image.fromarray(upper.astype(np.uint8))
    if image.mode in ("P", "PA"):
        notes.append(PALETTE)
    if image.has_transparency_data:
        return _on_white(image, notes)
    if image.mode in ("L", "RGB"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("I", "F"):
        raise ValueError(f"its mode {image.mode} does not say which number is white")
    if image.mode == "CMYK":
        notes.append(INKS)
    return image.convert("RGB")


def _on_white(image: Image.Image, notes: list[str]) -> Image.Image:
    """Laid on white, if any part can be seen through."""
    is_grey = image.mode in ("L", "LA", "La", "1")
    layered = image if image.mode == "RGBA" else image.convert("RGBA")
    alpha = layered.getchannel("A")
    plain = layered.convert("L" if is_grey else "RGB")
    if alpha.getextrema() != (_OPAQUE, _OPAQUE):
        notes.append(ALPHA)
        plain.paste("white", mask=ImageChops.invert(alpha))
    return plain
