"""Every kind of image file is read as its maker saw it. The oracle is written by hand or by NumPy."""

import struct
import zlib

import numpy as np
import pytest
from image_files import image_file
from PIL import Image

from regcore.data.images.decode import ALPHA, DEEP, FRAMES, INKS, PALETTE, TURNED, decode
from regcore.errors import InvalidDataError

RED = Image.new("RGB", (4, 2), (255, 0, 0))


def png(width, height, depth, colour_type, rows):
    """A PNG file, chunk by chunk."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_the_three_formats_are_told_by_their_content(format):
    decoded = decode(image_file(RED, format))

    assert (decoded.image.mode, decoded.size, decoded.notes) == ("RGB", (4, 2), [])
    assert np.abs(np.asarray(decoded.image, int) - [255, 0, 0]).max() <= 4


def test_grey_stays_grey_and_black_and_white_becomes_it():
    assert decode(image_file(Image.new("L", (2, 2), 77))).image.getpixel((0, 0)) == 77
    assert decode(image_file(Image.new("1", (2, 2), 1))).image.getpixel((0, 0)) == 255


@pytest.mark.parametrize(("colour_type", "channels", "mode"), [(0, 1, "L"), (2, 3, "RGB")])
def test_16_bits_are_scaled_and_not_clipped(colour_type, channels, mode):
    levels = [0, 255, 256, 32_768, 65_535]
    row = b"".join(struct.pack(">H", level) * channels for level in levels)

    decoded = decode(png(5, 1, 16, colour_type, [row]))

    assert (decoded.image.mode, decoded.notes) == (mode, [DEEP])
    assert np.asarray(decoded.image).reshape(5, -1)[:, 0].tolist() == [level // 256 for level in levels]


def test_a_palette_becomes_its_colours():
    decoded = decode(image_file(RED.quantize(4)))

    assert (decoded.image.mode, decoded.image.getpixel((0, 0)), decoded.notes) == ("RGB", (255, 0, 0), [PALETTE])


@pytest.mark.parametrize(
    ("mode", "colour", "expected"), [("RGBA", (255, 0, 0, 51), (255, 204, 204)), ("LA", (0, 51), 204)]
)
def test_what_can_be_seen_through_is_laid_on_white(mode, colour, expected):
    decoded = decode(image_file(Image.new(mode, (2, 2), colour)))

    assert (decoded.image.getpixel((0, 0)), decoded.notes) == (expected, [ALPHA])


def test_a_palette_with_a_transparent_colour_is_laid_on_white():
    image = Image.new("P", (2, 2), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 1), 1)

    decoded = decode(image_file(image, transparency=0))

    assert decoded.notes == [PALETTE, ALPHA]
    assert [decoded.image.getpixel(place) for place in ((0, 0), (1, 1))] == [(255, 255, 255), (0, 0, 255)]


def test_an_opaque_fourth_channel_is_nothing_to_tell():
    assert decode(image_file(Image.new("RGBA", (2, 2), (1, 2, 3, 255)))).notes == []


def test_printing_inks_become_colours():
    decoded = decode(image_file(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))

    assert decoded.notes == [INKS]
    assert np.abs(np.asarray(decoded.image, int) - [255, 0, 0]).max() <= 4


@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 3), (8, 1)])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_an_image_stands_upright_as_its_camera_noted(format, orientation, turns):
    """Orientation 6 means that the camera was held so that the image must be turned clockwise by a quarter."""
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation

    decoded = decode(image_file(Image.fromarray(pixels), format, exif=exif))

    expected = np.rot90(pixels, turns)
    assert (decoded.size, decoded.notes) == (expected.shape[1::-1], [TURNED])
    assert np.abs(np.asarray(decoded.image, int) - expected).mean() < 8


def test_of_several_frames_the_first_is_taken():
    content = image_file(RED, save_all=True, append_images=[Image.new("RGB", (4, 2), "blue")])

    decoded = decode(content)

    assert (decoded.image.convert("RGB").getpixel((0, 0)), decoded.notes) == ((255, 0, 0), [FRAMES])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"hello", "no PNG, JPEG or WebP"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "an EPS or PostScript program"),
        (image_file(RED, "GIF"), "a GIF"),
        (image_file(RED, "BMP"), "a BMP"),
        (image_file(RED, "TIFF"), "a TIFF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
    ],
)
def test_other_files_are_refused_whatever_they_are_called(content, said):
    with pytest.raises(InvalidDataError, match=said):
        decode(content)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.9])
def test_files_that_are_cut_short_are_refused(format, share):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8))
    content = image_file(noise, format)

    with pytest.raises(InvalidDataError, match="damaged or cut short"):
        decode(content[: int(share * len(content))])


def test_a_damaged_file_is_refused():
    content = bytearray(image_file(Image.fromarray(np.arange(1024, dtype=np.uint8).reshape(32, 32))))
    content[len(content) // 2] ^= 0x55

    with pytest.raises(InvalidDataError, match="damaged"):
        decode(bytes(content))


@pytest.mark.parametrize("size", [(100_000, 100_000), (2**31 - 1, 1), (0, 5)])
def test_a_header_that_claims_too_many_pixels_or_none_is_refused_before_they_are_made(size):
    with pytest.raises(InvalidDataError, match=r"pixels|damaged"):
        decode(png(*size, 8, 2, [b""]))


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size():
    content = image_file(Image.new("L", (1600, 1200), 90), "JPEG")

    decoded = decode(content, enough=(200, 150))

    assert (decoded.image.size, decoded.size) == ((200, 150), (1600, 1200))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # of Pillow, for whoever looks at stderr
def test_notes_of_a_camera_that_cannot_be_read_do_not_matter():
    content = image_file(RED, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff")

    assert decode(content).size == (4, 2)
