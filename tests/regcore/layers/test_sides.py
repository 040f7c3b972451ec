import pytest

from regcore.layers.sides import image, num_places, pair
from regcore.shapes import RowInfo


def test_one_number_is_for_height_and_width():
    assert pair(3) == (3, 3)
    assert pair([2, 5]) == (2, 5)


@pytest.mark.parametrize("row", [RowInfo((64,)), RowInfo((8, 8)), RowInfo((1, 8, 8), varies=True)])
def test_rows_that_are_no_images_are_refused(row):
    with pytest.raises(ValueError, match=r"pool expects \(C, H, W\); it gets \("):
        image("pool", row)


@pytest.mark.parametrize(
    ("window", "stride", "padding", "places"),
    [
        ((3, 3), (1, 1), (0, 0), (5, 6)),
        ((3, 3), (2, 3), (0, 0), (3, 2)),
        ((2, 5), (1, 1), (1, 2), (8, 8)),
        ((7, 8), (9, 9), (0, 0), (1, 1)),
    ],
)
def test_a_window_is_moved_as_long_as_it_fits(window, stride, padding, places):
    height, width = (
        len(range(0, side + 2 * around - size + 1, step))
        for side, size, step, around in zip((7, 8), window, stride, padding, strict=True)
    )

    assert num_places("pool", RowInfo((3, 7, 8)), window, stride, padding) == (height, width) == places


def test_a_window_larger_than_the_image_is_refused_with_both_sizes():
    with pytest.raises(
        ValueError, match=r"conv2d expects \(C, H, W\) of at least its window, 5×3; it gets \(3, 4, 8\)"
    ):
        num_places("conv2d", RowInfo((3, 4, 8)), (5, 3), (1, 1))
