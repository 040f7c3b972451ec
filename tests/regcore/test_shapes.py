import pytest

from regcore.shapes import RowInfo, TensorInfo


def test_other_rows_of_numbers_vary_as_these_unless_said_otherwise():
    tokens = RowInfo((9,), tokens=5, varies=True)

    assert tokens.of(9, 4) == RowInfo((9, 4), None, varies=True)
    assert tokens.of(4, varies=False) == RowInfo((4,))


def test_numbers_of_a_row_and_of_a_tensor_are_counted():
    assert RowInfo((3, 4, 5)).num_values == 60
    assert TensorInfo("weight", (2, 3)).num_elements == 6
    assert TensorInfo("num_batches_tracked", ()).num_elements == 1


@pytest.mark.parametrize(("shape", "num_places"), [((3, 4, 5), 20), ((7, 16), 7), ((64,), 1)])
def test_places_are_pixels_or_steps(shape, num_places):
    assert RowInfo(shape).num_places == num_places


@pytest.mark.parametrize(("role", "is_learned"), [("weight", True), ("norm", True), ("buffer", False)])
def test_buffers_are_not_learned(role, is_learned):
    assert TensorInfo("a", (1,), role).is_learned == is_learned
