import numpy as np
import pandas as pd
import pytest

from regcore.data.tables.handed import handed_rows
from regcore.data.tables.split import DRAWN
from regcore.errors import InvalidDataError

X = np.arange(12.0).reshape(6, 2)
Y = np.array([0, 1, 0, 1, 0, 1])


def test_rows_alone_are_all_drawn():
    handed = handed_rows(X, Y)

    assert (handed.roles, handed.numbers) == (None, None)
    assert handed.table.facts.default_target == "y"


def test_validation_and_test_rows_follow_with_their_own_numbers():
    handed = handed_rows(X, Y, validation=(X[:2] + 100, Y[:2]), test=(X[:3], Y[:3]))

    assert handed.roles.tolist() == [DRAWN] * 6 + ["validation"] * 2 + ["test"] * 3
    assert handed.numbers.tolist() == [*range(6), 0, 1, 0, 1, 2]
    assert handed.table.columns["column_1"].to_pylist()[6:8] == [100, 102]


def test_rows_that_hold_their_target_need_no_y():
    frame = pd.DataFrame({"a": [1, 2], "label": ["x", "y"]})

    handed = handed_rows(frame, test=frame[["label", "a"]])

    assert handed.table.columns.column_names == ["a", "label"]
    assert handed.table.columns["label"].to_pylist() == ["x", "y", "x", "y"]


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        (X, r"validation must be \(x, y\)"),
        ((X[:, :1], Y), r"the validation rows have 1 column\(s\) and x has 2"),
        ((np.hstack([X, X]), Y), r"the validation rows have 4 column\(s\) and x has 2"),
        ((pd.DataFrame({"column_1": X[:, 0]}), Y), "the validation rows lack 'column_2'"),
        ((X.astype(str), Y), "columns of the same kinds"),
        ((X, Y[:2]), "6 rows of x and 2 of y"),
    ],
    ids=["no pair", "too few columns", "too many columns", "columns", "kinds", "lengths"],
)
def test_rows_of_another_shape_are_refused(pair, said):
    with pytest.raises(InvalidDataError, match=said):
        handed_rows(X, Y, validation=pair)
