import numpy as np
import pytest
import torch
from PIL import Image

from regcore.data.images.apply import apply_to_images
from regcore.data.images.pixels import ArrayForm
from regcore.data.images.preprocessing import ImagePreprocessing
from regcore.data.tables.read.arrays import table_of
from regcore.errors import InvalidDataError

BYTES = np.random.default_rng(0).integers(0, 256, (3, 5, 6), dtype=np.uint8)
OF_BYTES = ImagePreprocessing((1, 5, 6), 255.0, array=ArrayForm((1, 5, 6), "uint8"))
OF_FRACTIONS = ImagePreprocessing((1, 5, 6), 1.0, array=ArrayForm((1, 5, 6), "float64"))
OF_FILES = ImagePreprocessing((1, 5, 6), 255.0)
X = BYTES[:, None] / 255


def applied(preprocessing, rows):
    encoded = apply_to_images(preprocessing, rows, np.float64)
    return encoded.x, encoded.notes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("images")
    (path / "inner").mkdir()
    for name, pixels in zip(["a.png", "b.png", "inner/c.png"], BYTES, strict=True):
        Image.fromarray(pixels).save(path / name)
    return path


@pytest.mark.parametrize("preprocessing", [OF_BYTES, OF_FILES, OF_FRACTIONS], ids=["bytes", "files", "fractions"])
def test_images_of_every_form_become_the_same_rows(preprocessing, folder, tmp_path):
    np.savez(tmp_path / "rows.npz", x=BYTES)
    images = [Image.fromarray(pixels) for pixels in BYTES]
    files = [folder / "a.png", str(folder / "b.png"), folder / "inner" / "c.png"]

    for rows in (
        BYTES,
        torch.from_numpy(BYTES),
        BYTES[:, None],
        images,
        files,
        folder,
        tmp_path / "rows.npz",
        table_of(BYTES),
    ):
        assert np.array_equal(applied(preprocessing, rows)[0], X)
    assert np.array_equal(applied(preprocessing, folder / "b.png")[0], X[1:2])


def test_pixels_in_another_unit_than_training_are_noted():
    assert applied(OF_BYTES, BYTES / 255)[1] == [
        "pixels are fractions up to 1 and are taken as in [0, 1]; in training 255 was white."
    ]
    assert np.array_equal(applied(OF_BYTES, BYTES / 255)[0], X)
    assert applied(OF_FRACTIONS, BYTES)[1] == [
        "pixels are bytes and are taken as from 0 to 255; in training 1 was white."
    ]
    assert "taken as from 0 (black) to 255" in applied(OF_FILES, BYTES // 10)[1][0]
    assert applied(OF_BYTES, BYTES // 10)[1] == []


def test_a_model_of_files_takes_arrays_of_any_size_and_one_of_arrays_its_own():
    larger = np.full((2, 10, 12, 3), 51, np.uint8)

    x, _ = applied(OF_FILES, larger)

    assert np.array_equal(x, np.full((2, 1, 5, 6), 0.2))
    with pytest.raises(
        InvalidDataError, match=r"Expected rows of shape \(N, 1, 5, 6\); received an array of shape \(2, 10, 12, 3\)"
    ):
        applied(OF_BYTES, larger)


def test_arrays_that_training_resized_are_resized_in_the_same_type():
    smaller = ImagePreprocessing((1, 2, 3), 255.0, array=ArrayForm((1, 5, 6), "uint8"))

    x, _ = applied(smaller, BYTES.astype(np.float64))

    assert np.array_equal(x, applied(smaller, BYTES)[0])
    assert np.array_equal(x * 255, np.rint(x * 255))


def test_a_fourth_channel_is_laid_on_white():
    coloured = ImagePreprocessing((3, 5, 6), 255.0, array=ArrayForm((3, 5, 6), "uint8"))

    x, _ = applied(coloured, np.full((2, 5, 6, 4), [255, 0, 0, 51], np.uint8))

    assert (x[1, :, 2, 3] * 255).round().tolist() == [255, 204, 204]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (table_of({"a": [1.0]}), "the model takes images, and these rows are of modality table"),
        ([[1], [1, 2]], "array of numbers"),
        (np.full((1, 5, 6), np.nan), "finite"),
        ("none.png", "none.png cannot be read"),
    ],
)
def test_other_rows_are_refused(rows, said):
    with pytest.raises(InvalidDataError, match=said):
        applied(OF_FILES, rows)
