import pytest

from regcore.layers.windows import num_places_of_steps
from regcore.shapes import RowInfo


@pytest.mark.parametrize(("window", "stride", "padding"), [(3, 1, 0), (3, 2, 0), (2, 3, 1), (9, 1, 1), (7, 4, 0)])
def test_a_window_is_moved_as_long_as_it_fits(window, stride, padding):
    places = len(range(0, 7 + 2 * padding - window + 1, stride))

    assert num_places_of_steps("pool", RowInfo((7, 2)), window, stride, padding) == places


def test_a_window_longer_than_the_sequence_is_refused_with_both():
    with pytest.raises(ValueError, match=r"of at least its window, 5 steps; it gets \(3, 4\)"):
        num_places_of_steps("conv1d", RowInfo((3, 4)), 5, 1)


def test_rows_that_are_no_sequences_are_refused():
    with pytest.raises(ValueError, match=r"conv1d expects \(steps, features\); it gets \(13,\)"):
        num_places_of_steps("conv1d", RowInfo((13,)), 2, 1)
