from types import SimpleNamespace

import numpy as np
import pytest
import torch

from regcore.data.prepare import prepare_columns
from regcore.data.split import Splits
from regcore.data.tables.inputs import choose_table
from regcore.data.tables.read.arrays import table_of
from regcore.errors import OutOfMemoryError
from regcore.spec.data import ArraysData

TABLE = table_of({"age": [1.0, 2.0, 3.0, 50.0], "y": ["p", "q", "p", "q"]})
SPLITS = Splits(np.array([2, 0]), np.array([1]), np.array([3]))
SPEC = SimpleNamespace(
    data=ArraysData(kind="arrays"),
    task=SimpleNamespace(predicts="classes"),
    training=SimpleNamespace(precision="float64"),
    resources=SimpleNamespace(max_memory_bytes=None),
)


def prepared(**options):
    inputs = choose_table(TABLE.facts, SPEC.data, "y", [])
    y = np.array([0, 1, 0, 1])
    return prepare_columns(
        inputs, inputs.read(TABLE.columns), y, SPLITS, SPEC, ("p", "q"), given=["age"], target="y", **options
    )


def test_every_split_is_encoded_by_what_the_train_rows_say():
    data = prepared()

    assert data.train.x.tolist() == [[1], [-1]]
    assert data.validation.x.tolist() == [[0]]
    assert data.test.x.tolist() == [[48]]
    assert data.train.y.dtype == torch.int64
    assert data.train.rows.tolist() == [2, 0]


def test_rows_are_shown_by_the_numbers_that_they_were_handed_in_with():
    assert prepared(shown_numbers=np.array([10, 11, 12, 13])).train.rows.tolist() == [12, 10]


def test_rows_that_do_not_fit_into_memory_are_refused_before_they_are_made(monkeypatch):
    monkeypatch.setattr("regcore.data.prepare.psutil.virtual_memory", lambda: SimpleNamespace(available=31))

    with pytest.raises(OutOfMemoryError, match="4 rows of 1 numbers need"):
        prepared()
