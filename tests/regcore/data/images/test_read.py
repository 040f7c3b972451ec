import numpy as np
import pytest
from image_files import image_file
from PIL import Image

from regcore.data.files.entry import Entry
from regcore.data.images.read import read_images
from regcore.errors import InvalidDataError


def entry(path, content):
    return Entry(path, len(content), lambda: content)


def read(*contents):
    shares = []
    entries = [entry(f"cats/{number}.png", content) for number, content in enumerate(contents, start=1)]
    column = read_images(entries, shares.append)
    assert shares[-1] == 1
    return column


GREY, RED = Image.new("L", (5, 4), 9), Image.new("RGB", (7, 3), "red")


def test_files_are_kept_in_their_order_with_what_is_known_of_them():
    contents = [image_file(Image.new("L", (5, 4), level)) for level in range(40)]

    column = read(*contents)

    assert column.cells.to_pylist() == contents
    facts = column.facts
    assert (facts.heights, facts.widths, facts.all_grey, facts.shape) == ((4, 4), (5, 5), True, None)
    assert column.warnings == []


def test_what_was_brought_to_one_is_counted_in_a_warning():
    palette, clear = RED.quantize(2), Image.new("RGBA", (7, 3), (0, 0, 0, 0))

    column = read(*map(image_file, [GREY, RED, palette, palette, clear]))

    assert {warning.code: warning.message for warning in column.warnings} == {
        "images_converted": "Of 5 images 2 have a palette, 1 have transparent parts, which are laid on white.",
        "images_grey_and_coloured": "2 of 5 images are grey, and the others have colours.",
        "images_of_many_sizes": "The images have 2 sizes, 3 to 4 pixels high and 5 to 7 wide; 4 are 3 by 7.",
    }


def test_larger_images_are_said_to_be_kept_smaller():
    (warning,) = read(image_file(Image.new("L", (600, 600)), "JPEG")).warnings

    assert warning.code == "images_kept_smaller"


@pytest.mark.parametrize("content", [b"", b"nonsense", image_file(RED)[:40], b"%!PS-Adobe-3.0 EPSF-3.0"])
def test_a_file_that_is_no_image_is_named(content):
    with pytest.raises(InvalidDataError, match=r"^cats/2\.png is .*\.$") as caught:
        read(image_file(GREY), content)

    assert caught.value.details["file"] == "cats/2.png"


def test_of_many_such_files_the_first_are_named_and_all_counted():
    broken = np.random.default_rng(0).bytes(50)

    with pytest.raises(
        InvalidDataError, match=r"5 of 6 images cannot be read: cats/2\.png is .*; cats/3.*; cats/4.*; \.\.\."
    ) as caught:
        read(image_file(GREY), *[broken] * 5)

    assert caught.value.details["num_files"] == 5


def test_an_error_of_the_archive_is_told_as_it_is():
    def fail():
        raise InvalidDataError("cats/a.png in it is damaged: bad CRC.", remedy="Send it again.")

    with pytest.raises(InvalidDataError, match=r"^cats/a\.png in it is damaged: bad CRC\.$"):
        read_images([Entry("cats/a.png", 5, fail)], lambda share: None)
