import numpy as np
import pytest
from image_files import image_file
from PIL import Image

from regcore.data.images.decode import Decoded, decode
from regcore.data.images.keep import keep, keep_decoded
from regcore.data.images.sizes import LONGER_SIDE, SHORTER_SIDE

SMOOTH = Image.fromarray(np.linspace(0, 255, 12, dtype=np.uint8).reshape(3, 4)).resize((640, 480))


def test_a_small_file_is_kept_as_it_is():
    content = image_file(Image.new("RGB", (30, 20), "red"))

    kept = keep(content)

    assert (kept.cell, kept.size, kept.is_smaller, kept.is_grey) == (content, (30, 20), False, False)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((640, 480), (341, SHORTER_SIDE)), ((480, 640), (SHORTER_SIDE, 341)), ((6000, 300), (LONGER_SIDE, SHORTER_SIDE))],
)
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_a_larger_one_is_kept_smaller_and_looks_the_same(size, expected, format):
    image = SMOOTH.resize(size)

    kept = keep(image_file(image, format))

    assert (decode(kept.cell).image.size, kept.size, kept.is_smaller, kept.is_grey) == (expected, size, True, True)
    oracle = np.asarray(image.resize(expected, Image.Resampling.BOX), float)
    assert np.abs(np.asarray(decode(kept.cell).image, float) - oracle).mean() < 2


def test_the_same_file_is_always_kept_as_the_same_bytes():
    content = image_file(SMOOTH.convert("RGB"), "JPEG")

    assert keep(content).cell == keep(content).cell


def test_what_a_file_holds_beside_its_pixels_is_dropped_where_it_is_much():
    noted = image_file(Image.new("RGB", (8, 8), "red"), "JPEG", comment=b"x" * 60_000, icc_profile=b"y" * 60_000)

    kept = keep(noted)

    assert len(kept.cell) < 1_000
    assert decode(kept.cell).image.tobytes() == decode(noted).image.tobytes()


@pytest.mark.parametrize(("size", "is_smaller"), [((5, 4), False), ((600, 300), True)])
def test_an_image_that_a_program_holds_becomes_a_file(size, is_smaller):
    image = Image.new("RGB", size, (10, 200, 30))

    kept = keep_decoded(Decoded(image, size, []))

    assert kept.is_smaller == is_smaller
    assert np.abs(np.asarray(decode(kept.cell).image, int) - [10, 200, 30]).max() <= (3 if is_smaller else 0)


def test_grey_that_is_stored_in_colours_is_grey():
    assert keep(image_file(Image.new("RGB", (4, 4), (9, 9, 9)))).is_grey
    assert not keep(image_file(Image.new("RGB", (4, 4), (9, 9, 10)))).is_grey
