import numpy as np
import pytest
import torch
from PIL import Image

from regcore.data.images.cells import form_of, pixels_of
from regcore.data.images.handed import holds_images, images_of, is_image_path
from regcore.errors import InvalidDataError

BYTES = np.random.default_rng(0).integers(0, 256, (3, 5, 6), dtype=np.uint8)


def pixels(x):
    column = images_of(x)
    return pixels_of(column.cells, form_of(column.facts), (1, 5, 6))


@pytest.mark.parametrize(
    "x",
    [
        BYTES,
        torch.from_numpy(BYTES),
        list(BYTES),
        list(torch.from_numpy(BYTES)),
        [Image.fromarray(one) for one in BYTES],
    ],
    ids=["array", "tensor", "arrays", "tensors", "pillow"],
)
def test_images_come_in_every_form_that_programs_hold(x):
    assert holds_images(x)
    assert np.array_equal(pixels(x), BYTES[:, None])


def test_paths_of_images_are_read(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, one in zip(paths, BYTES, strict=True):
        Image.fromarray(one).save(path)

    for given in (paths, [str(path) for path in paths]):
        assert holds_images(given)
        assert np.array_equal(pixels(given), BYTES[:, None])


def test_short_fractions_of_torch_are_taken():
    assert images_of(torch.full((2, 3, 3), 0.5, dtype=torch.bfloat16)).facts.dtype == "float32"


@pytest.mark.parametrize("x", [np.zeros((3, 4)), [], [[1, 2], [3, 4]], ["a text", "another"], {"a": [1]}, [b"x"], None])
def test_other_rows_are_none(x):
    assert not holds_images(x)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        ([BYTES[0], BYTES[0, :4]], r"the first is of \(5, 6\) and image 2 of \(4, 6\)"),
        (["there is none.png"], "there is none.png cannot be read: No such file"),
        ([Image.new("F", (2, 2))], "its mode F does not say"),
    ],
)
def test_what_cannot_be_read_is_said(x, said):
    with pytest.raises(InvalidDataError, match=said):
        images_of(x)


def test_paths_are_told_by_their_endings():
    assert is_image_path("a/b.JPG")
    assert not is_image_path("a/b.csv")
    assert not is_image_path(3)
