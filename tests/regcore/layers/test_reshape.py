import pytest
import torch
from pydantic import ValidationError

from regcore.layers import Reshape
from regcore.shapes import RowInfo


@pytest.mark.parametrize(
    ("shape", "given"), [([12], (12,)), ([2, -1], (2, 6)), ([3, 2, 2], (3, 2, 2)), ([-1, 4, 1], (3, 4, 1))]
)
def test_values_stay_in_their_order(shape, given):
    x, seen = torch.arange(24).view(2, 3, 4), RowInfo((3, 4))

    outputs = Reshape(shape=shape).module(seen)(x)

    assert Reshape(shape=shape).output(seen).shape == tuple(outputs.shape[1:]) == given
    assert outputs.flatten(1).tolist() == x.flatten(1).tolist()


def test_tokens_stay_tokens():
    assert Reshape(shape=[2, 3]).output(RowInfo((6,), tokens=9)) == RowInfo((2, 3), tokens=9)


@pytest.mark.parametrize(
    ("shape", "row", "message"),
    [
        ([5], RowInfo((3, 4)), r"reshape to \(5,\) expects 5 values in a row; it gets \(3, 4\)"),
        ([5, -1], RowInfo((12,)), r"reshape to \(5, -1\) expects a multiple of 5 values in a row; it gets \(12,\)"),
        (
            [12],
            RowInfo((3, 4), varies=True),
            r"reshape expects rows of one length .*; it gets \(3, 4\) of",
        ),
    ],
)
def test_rows_of_other_sizes_are_refused(shape, row, message):
    with pytest.raises(ValueError, match=message):
        Reshape(shape=shape).output(row)


@pytest.mark.parametrize("shape", [[], [0], [-1, -1], [-2]])
def test_all_lengths_but_one_are_said(shape):
    with pytest.raises(ValidationError, match="shape"):
        Reshape(shape=shape)
