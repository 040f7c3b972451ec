import pytest

from regcore.models.first_layers import as_steps, as_vector
from regcore.shapes import RowInfo

TEXT = RowInfo((6,), tokens=9, varies=True)


@pytest.mark.parametrize(
    ("row", "kinds"),
    [
        (RowInfo((13,)), []),
        (RowInfo((1, 8, 8)), []),
        (RowInfo((6, 4)), []),
        (RowInfo((6, 4), varies=True), ["global_pool"]),
        (TEXT, ["embedding", "global_pool"]),
    ],
)
def test_a_vector_is_made_of_what_a_linear_layer_cannot_take(row, kinds):
    assert [layer.kind for layer in as_vector(row, 5)] == kinds


@pytest.mark.parametrize(
    ("row", "kinds"),
    [
        (RowInfo((1, 8, 8)), ["image_rows"]),
        (RowInfo((6, 4)), []),
        (RowInfo((6, 4), varies=True), []),
        (TEXT, ["embedding"]),
    ],
)
def test_steps_are_made_of_images_and_text(row, kinds):
    assert [layer.kind for layer in as_steps("rnn", row, 5)] == kinds


def test_a_table_has_no_steps():
    with pytest.raises(ValueError, match=r"rnn expects images, .*; it gets \(13,\) from the rows"):
        as_steps("rnn", RowInfo((13,)), 5)
