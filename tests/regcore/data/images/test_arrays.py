import numpy as np
import pytest

from regcore.data.images.arrays import joined_images, read_array
from regcore.data.images.cells import form_of, pixels_of
from regcore.data.tables.read.arrays import table_of
from regcore.errors import InvalidDataError

BYTES = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)


def pixels(column):
    return pixels_of(column.cells, form_of(column.facts), column.facts.shape)


@pytest.mark.parametrize(
    "give", [np.asarray, np.int64, np.float64, lambda x: x.transpose(0, 3, 1, 2), np.asfortranarray]
)
def test_an_array_is_kept_as_bytes_with_its_channels_first(give):
    column = read_array(give(BYTES))

    facts = column.facts
    assert (facts.shape, facts.dtype, facts.maximum, facts.all_grey) == ((3, 5, 6), "uint8", 255, False)
    assert np.array_equal(pixels(column), BYTES.transpose(0, 3, 1, 2))


def test_fractions_keep_their_type():
    column = read_array((BYTES[..., 0] / 255).astype(np.float32))

    facts = column.facts
    assert (facts.shape, facts.dtype, facts.maximum, facts.all_grey) == ((1, 5, 6), "float32", 1, True)


def test_a_fourth_channel_is_gone():
    layered = np.concatenate([BYTES, np.full((4, 5, 6, 1), 255, np.uint8)], axis=3)

    assert np.array_equal(pixels(read_array(layered)), BYTES.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        (np.full((2, 3, 3), "a"), "arrays of numbers"),
        (np.zeros((2, 0, 3)), "no pixels"),
        (np.full((2, 3, 3), np.inf), "image 1 holds NaN or infinity"),
    ],
)
def test_what_holds_no_pixels_is_refused(batch, said):
    with pytest.raises(InvalidDataError, match=said):
        read_array(batch)


def test_images_of_several_tables_become_one_column():
    whole, fractions = np.full((2, 3, 3), 200.0), np.full((1, 3, 3), 0.5) * 255
    parts = {"drawn": table_of(fractions), "test": table_of(whole)}

    column = joined_images(parts)

    assert (column.facts.dtype, column.facts.shape) == ("float64", (1, 3, 3))
    assert pixels(column)[:, 0, 0, 0].tolist() == [127.5, 200, 200]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (np.zeros((1, 4, 3)), r"the test rows are images of shape \(1, 4, 3\)"),
        (np.full((1, 3, 3), 0.5), "of type float64"),
    ],
)
def test_images_of_another_form_are_refused(other, said):
    parts = {"drawn": table_of(np.full((2, 3, 3), 7)), "test": table_of(other)}

    with pytest.raises(InvalidDataError, match=said):
        joined_images(parts)
