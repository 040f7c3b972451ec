import numpy as np
import pytest

from regcore.data.sequences import SequencePreprocessing, check_sequences
from regcore.errors import InvalidDataError

TOKENS = SequencePreprocessing((4,), tokens=7)


def test_rows_are_padded_behind_the_steps_that_they_have():
    x, lengths = TOKENS.padded([[1, 2], [6], [1, 2, 3, 4]], np.float32)

    assert x.tolist() == [[1, 2, 0, 0], [6, 0, 0, 0], [1, 2, 3, 4]]
    assert lengths.tolist() == [2, 1, 4]
    assert x.dtype == np.int64


def test_it_is_read_back_from_its_json():
    assert SequencePreprocessing.from_json(TOKENS.to_json()) == TOKENS


@pytest.mark.parametrize(
    ("row", "fragment"),
    [
        ([], "from 1 to 4 steps; received 0"),
        ([1] * 5, "from 1 to 4 steps; received 5"),
        ([7], "tokens must be from 0 to 6"),
        ([1.5], "tokens must be integers; received float64"),
        ([[1]], r"must have the shape \(steps,\)"),
    ],
)
def test_a_row_that_does_not_fit_is_named(row, fragment):
    with pytest.raises(InvalidDataError, match=fragment):
        TOKENS.padded([row], np.float32)


def test_a_length_beyond_the_steps_is_refused():
    with pytest.raises(InvalidDataError, match="row 1 must use from 1 to 3 steps; received 4"):
        check_sequences(np.zeros((2, 3)), np.array([1, 4]), None)
