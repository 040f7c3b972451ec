import numpy as np
import pytest

from regcore.data.images.pixels import (
    as_bytes_if_whole,
    axes_of,
    channels_first,
    check_finite,
    in_plain_type,
    white_of,
    without_alpha,
)
from regcore.errors import InvalidDataError


@pytest.mark.parametrize(
    ("shape", "axes", "first"),
    [
        ((5, 8, 9), "grey", (5, 1, 8, 9)),
        ((5, 8, 9, 3), "last", (5, 3, 8, 9)),
        ((5, 3, 8, 9), "first", (5, 3, 8, 9)),
        ((5, 8, 9, 1), "last", (5, 1, 8, 9)),
        ((5, 4, 8, 9), "first", (5, 4, 8, 9)),
    ],
)
def test_the_axes_of_a_batch_are_told_by_its_shape(shape, axes, first):
    assert axes_of(shape) == axes
    assert channels_first(np.zeros(shape), axes).shape == first


@pytest.mark.parametrize(
    ("shape", "said"), [((5, 3, 8, 3), "second axis or in the last"), ((5, 8, 9, 7), "1, 3 or 4 channels")]
)
def test_axes_that_cannot_be_told_are_refused(shape, said):
    with pytest.raises(InvalidDataError, match=said):
        axes_of(shape)


@pytest.mark.parametrize(
    ("given", "highest", "expected"),
    [("u1", 255, "u1"), ("?", 1, "u1"), ("i8", 255, "u1"), ("i8", 256, "f4"), ("i8", 2**30, "f8"), ("f2", 1, "f4"),
     (">f8", 1, "f8"), ("f4", 300, "f4")],
)  # fmt: skip
def test_numbers_get_the_smallest_plain_type_that_changes_none(given, highest, expected):
    batch = np.array([[[[0, highest]]]], given)

    plain = in_plain_type(batch)

    assert plain.dtype == expected
    assert plain.tolist() == batch.tolist()


def test_whole_fractions_are_bytes_and_others_stay():
    assert as_bytes_if_whole(np.array([0.0, 255.0])).dtype == np.uint8
    for numbers in ([0.5], [-1.0], [256.0]):
        assert as_bytes_if_whole(np.array(numbers)).dtype == np.float64


@pytest.mark.parametrize(
    ("numbers", "dtype", "white", "code"),
    [
        ([0, 255], "u1", 255, None),
        ([0, 1], "u1", 1, None),
        ([0, 1], "f4", 1, None),
        ([0, 0.3], "f8", 1, None),
        ([0, 1.02], "f8", 1, "pixels_ambiguous"),
        ([0, 200.5], "f8", 255, None),
        ([0, 16], "u1", 255, "pixels_ambiguous"),
        ([0, 4095], "f4", 65_535, "pixels_ambiguous"),
        ([-2.1, 2.6], "f4", 1, "pixels_not_scaled"),
        ([0, 300.5], "f4", 1, "pixels_not_scaled"),
    ],
)
def test_the_number_that_is_white_is_told_by_the_largest(numbers, dtype, white, code):
    found, warnings = white_of(np.array(numbers, dtype).reshape(1, 1, 1, 2))

    assert found == white
    assert [warning.code for warning in warnings] == ([] if code is None else [code])


@pytest.mark.parametrize(("dtype", "white"), [("u1", 255), ("f4", 1)])
def test_a_fourth_channel_lays_the_others_on_white(dtype, white):
    pixel = (np.array([1, 0, 0.5, 0.2]) * white).astype(dtype)

    laid = without_alpha(pixel.reshape(1, 4, 1, 1), white)

    opacity = pixel[3] / white
    expected = pixel[:3] * opacity + white * (1 - opacity)
    np.testing.assert_allclose(laid.reshape(3), np.rint(expected) if dtype == "u1" else expected, rtol=1e-6)


def test_pixels_that_are_not_finite_are_named():
    batch = np.zeros((4, 1, 2, 2))
    check_finite(batch)
    batch[2, 0, 1, 1] = np.nan

    with pytest.raises(InvalidDataError, match="image 3 holds NaN"):
        check_finite(batch)
