import numpy as np
import pyarrow as pa
import pytest
import torch
from image_files import image_file
from PIL import Image

from regcore.data.images.cells import array_cells, described_images, form_of, pixels_of, resized
from regcore.data.images.pixels import ArrayForm
from regcore.data.media_facts import ImageFacts
from regcore.errors import InvalidDataError

RNG = np.random.default_rng(0)


def files(*images):
    cells = [image_file(image) for image in images]
    return pa.chunked_array([cells[:1], cells[1:]], pa.large_binary())


def test_files_of_one_size_are_their_pixels():
    pixels = RNG.integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)

    made = pixels_of(files(*map(Image.fromarray, pixels)), None, (3, 6, 7))

    assert made.dtype == np.uint8
    assert np.array_equal(made, pixels.transpose(0, 3, 1, 2))


def test_grey_and_coloured_files_get_the_same_channels():
    cells = files(Image.new("L", (2, 2), 100), Image.new("RGB", (2, 2), (255, 0, 0)))

    assert pixels_of(cells, None, (3, 2, 2))[:, :, 0, 0].tolist() == [[100] * 3, [255, 0, 0]]
    assert pixels_of(cells, None, (1, 2, 2))[:, :, 0, 0].tolist() == [[100], [round(0.299 * 255)]]


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("shape", [(3, 8, 10), (3, 50, 31)])
def test_other_sizes_are_brought_to_one_as_torch_does_with_antialiasing(dtype, shape):
    batch = (RNG.random((2, 3, 24, 30)) * 255).astype(dtype)

    made = resized(batch, shape)

    given = torch.from_numpy(batch).double()
    oracle = torch.nn.functional.interpolate(given, size=shape[1:], mode="bilinear", antialias=True)
    assert made.dtype == batch.dtype
    assert np.abs(made - oracle.numpy()).max() < (1.5 if dtype == "uint8" else 1e-3)


def test_fractions_become_grey_by_the_same_shares_and_grey_becomes_coloured():
    colours = RNG.random((2, 3, 4, 4)).astype(np.float32)

    grey = resized(colours, (1, 4, 4))

    np.testing.assert_allclose(grey[:, 0], np.einsum("nchw,c->nhw", colours, [0.299, 0.587, 0.114]), rtol=1e-5)
    np.testing.assert_allclose(resized(grey, (3, 4, 4)), np.repeat(grey, 3, axis=1), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_cells_of_arrays_give_the_same_numbers_back(dtype):
    batch = (RNG.random((6, 1, 3, 5)) * 255).astype(dtype)
    cells = array_cells(batch)

    taken = pa.chunked_array([*cells.slice(0, 2).chunks, *cells.slice(3).chunks])

    assert np.array_equal(pixels_of(cells, ArrayForm((1, 3, 5), dtype), (1, 3, 5)), batch)
    assert np.array_equal(pixels_of(taken, ArrayForm((1, 3, 5), dtype), (1, 3, 5)), batch[[0, 1, 3, 4, 5]])
    assert pixels_of(cells.slice(0, 0), ArrayForm((1, 3, 5), dtype), (1, 3, 5)).shape == (0, 1, 3, 5)


def test_a_cell_that_is_damaged_is_named_by_its_row():
    cells = pa.chunked_array([[image_file(Image.new("L", (2, 2)))], [b"nonsense"]], pa.large_binary())

    with pytest.raises(InvalidDataError, match="image 2 is no PNG"):
        pixels_of(cells, None, (1, 2, 2))


def test_cells_are_described_for_people():
    of_files = ImageFacts(heights=(2, 2), widths=(3, 3), all_grey=True)
    of_arrays = ImageFacts(heights=(2, 2), widths=(3, 3), all_grey=False, shape=(3, 2, 3), dtype="uint8", maximum=255)
    cells = files(Image.new("L", (3, 2)), Image.new("RGB", (4, 5)))
    sizes = [len(cell) for cell in cells.to_pylist()]

    assert described_images(cells, of_files) == [
        f"2×3 pixels, grey, {sizes[0]} bytes",
        f"5×4 pixels, RGB, {sizes[1]} bytes",
    ]
    assert described_images(cells, of_arrays) == ["2×3 pixels, RGB"] * 2
    assert form_of(of_files) is None
    assert form_of(of_arrays) == ArrayForm((3, 2, 3), "uint8")
