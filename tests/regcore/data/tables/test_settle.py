import numpy as np
import pyarrow as pa
import pytest

from regcore.data.tables.choose import choose
from regcore.data.tables.find_types import find_facts
from regcore.data.tables.settle import settle_rows
from regcore.spec import parse_spec


def settle(y, **data):
    columns = pa.table({"y": y, "x": [float(k) for k in range(len(y))]})
    spec = parse_spec(
        {"data": {"kind": "arrays", "target": "y", "test_fraction": 0, "validation_fraction": 0} | data,
         "model": {"kind": "linear"}}
    )  # fmt: skip
    chosen = choose(find_facts(columns, format="arrays"), spec)
    return chosen, settle_rows(columns, chosen, spec.data)


@pytest.mark.parametrize(
    ("y", "classes", "numbers", "codes"),
    [
        (["b", " a", "", "a ", "NA", "b"], ("a", "b"), [0, 1, 3, 5], [1, 0, 0, 1]),
        (["10", "9", "n/a", "9", "10", "10"], ("9", "10"), [0, 1, 3, 4, 5], [1, 0, 0, 1, 1]),
        (["yes", "no", "?", "Yes", "no", "yes"], ("no", "yes"), [0, 1, 3, 4, 5], [1, 0, 1, 0, 1]),
        ([True, False, None, True, False], ("false", "true"), [0, 1, 3, 4], [1, 0, 1, 0]),
        (pa.array([7, 3, None, 7, 3], pa.int8()), ("3", "7"), [0, 1, 3, 4], [1, 0, 1, 0]),
    ],
    ids=["text", "numbers", "words", "booleans", "integers"],
)
def test_labels_are_trimmed_alike_and_rows_without_one_are_left_out(y, classes, numbers, codes):
    chosen, settled = settle(y)

    assert chosen.classes == classes
    assert settled.numbers.tolist() == numbers
    assert settled.y.tolist() == codes
    assert settled.y.dtype == np.int64


def test_numbers_that_are_missing_or_infinite_are_left_out():
    _, settled = settle(pa.array([0.5, float("nan"), None, float("inf"), 2.25]))

    assert settled.numbers.tolist() == [0, 4]
    assert settled.y.tolist() == [0.5, 2.25]
