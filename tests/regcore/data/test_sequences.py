import numpy as np
import pytest

from regcore.data.read_preprocessing import read_preprocessing
from regcore.data.sequences import SequencePreprocessing
from regcore.errors import InvalidDataError

TOKENS = SequencePreprocessing((4,), tokens=6)
NUMBERS = SequencePreprocessing((3, 2))


def test_rows_are_padded_with_zeros_to_one_length():
    tokens, token_lengths = TOKENS.padded([[5, 1], [2], [1, 2, 3, 4]], np.float32)
    numbers, lengths = NUMBERS.padded([[[1.5, 2]], np.ones((3, 2))], np.float32)

    assert tokens.tolist() == [[5, 1, 0, 0], [2, 0, 0, 0], [1, 2, 3, 4]]
    assert (tokens.dtype, token_lengths.tolist()) == (np.int64, [2, 1, 4])
    assert numbers.tolist() == [[[1.5, 2], [0, 0], [0, 0]], [[1, 1]] * 3]
    assert (numbers.dtype, lengths.tolist()) == (np.float32, [1, 3])


@pytest.mark.parametrize("preprocessing", [TOKENS, NUMBERS], ids=["tokens", "numbers"])
def test_it_is_json_and_back(preprocessing):
    assert read_preprocessing(preprocessing.to_json()) == preprocessing


@pytest.mark.parametrize(
    ("preprocessing", "rows", "message"),
    [
        (TOKENS, [[1], []], "row 1 must have from 1 to 4 steps; received 0"),
        (TOKENS, [[1, 2, 3, 4, 5]], "row 0 must have from 1 to 4 steps; received 5"),
        (TOKENS, [[[1, 2]]], r"row 0 must have the shape \(steps,\); received \(1, 2\)"),
        (TOKENS, [[1], [6]], "tokens must be from 0 to 5, with 0 for padding; row 1 has 6"),
        (TOKENS, [[1.5]], "tokens must be integers; received float64"),
        (NUMBERS, [[[1, 2, 3]]], r"row 0 must have the shape \(steps, 2\); received \(1, 3\)"),
    ],
    ids=["no step", "too many steps", "too many axes", "unknown token", "fraction", "other features"],
)
def test_rows_that_do_not_fit_are_refused_with_their_number(preprocessing, rows, message):
    with pytest.raises(InvalidDataError, match=message):
        preprocessing.padded(rows, np.float32)
