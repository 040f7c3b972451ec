import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from regcore.data.tables.read.arrays import columns_of, has_names, table_of
from regcore.errors import InvalidDataError

NUMBERS = [[1.5, 2.0], [3.0, 4.0], [5.0, 6.0]]
FRAME = {"age": [1, 2, 3], "city": ["a", None, "b"], "member": [True, False, True]}


@pytest.mark.parametrize(
    "x",
    [
        np.array(NUMBERS),
        np.asfortranarray(np.array(NUMBERS)),
        np.array(NUMBERS, ">f8"),
        np.array(NUMBERS, np.float16),
        np.array(NUMBERS, np.longdouble),
        np.array(NUMBERS, object),
        torch.tensor(NUMBERS, requires_grad=True),
        torch.tensor(NUMBERS, dtype=torch.bfloat16),
        NUMBERS,
        tuple(map(tuple, NUMBERS)),
        [np.array(row) for row in NUMBERS],
        [torch.tensor(row) for row in NUMBERS],
    ],
    ids=lambda x: f"{type(x).__name__} {getattr(x, 'dtype', type(x[0]).__name__)}",
)
def test_rows_without_names_are_numbered_columns(x):
    columns = columns_of(x)

    assert columns.column_names == ["column_1", "column_2"]
    assert columns["column_1"].to_pylist() == [1.5, 3, 5]
    assert not has_names(x)


@pytest.mark.parametrize(
    "x",
    [
        pd.DataFrame(FRAME),
        pd.DataFrame(FRAME).astype({"city": "category"}),
        pd.DataFrame(FRAME).convert_dtypes(),
        pd.DataFrame(FRAME, index=[7, 7, 7]),
        pl.DataFrame(FRAME),
        pl.DataFrame(FRAME).lazy(),
        pl.DataFrame(FRAME).with_columns(pl.col("city").cast(pl.Categorical)),
        pa.table(FRAME),
        FRAME,
        [dict(zip(FRAME, row, strict=True)) for row in zip(*FRAME.values(), strict=True)],
    ],
    ids=[
        "pandas", "pandas category", "pandas nullable", "pandas index", "polars", "polars lazy", "polars category",
        "arrow", "dict", "dicts",
    ],
)  # fmt: skip
def test_names_of_columns_are_kept(x):
    columns = columns_of(x)

    assert columns.to_pydict() == FRAME
    assert has_names(x)


@pytest.mark.parametrize(
    ("y", "cells", "name"),
    [
        (["a", "b", "a"], ["a", "b", "a"], "y"),
        (np.array([3, 7, 3], np.uint8), [3, 7, 3], "y"),
        (np.array([True, False, True]), [True, False, True], "y"),
        (torch.tensor([[1.0], [2.0], [float("inf")]]), [1, 2, None], "y"),
        ([1.0, float("nan"), 3.0], [1, None, 3], "y"),
        (pd.Series(["a", None, "b"], name="label"), ["a", None, "b"], "label"),
        (pd.Series([1, 2, 3]), [1, 2, 3], "y"),
        (pd.DataFrame({"label": [1, 2, 3]}), [1, 2, 3], "label"),
        (pl.Series("label", [1, 2, 3]), [1, 2, 3], "label"),
        (pa.array([1, 2, 3]), [1, 2, 3], "y"),
        (np.array(["a", "b", "a"]), ["a", "b", "a"], "y"),
    ],
    ids=["list", "uint8", "bool", "tensor", "gaps", "named", "unnamed", "frame", "polars", "arrow", "unicode"],
)
def test_targets_of_any_type_are_a_column(y, cells, name):
    table = table_of(NUMBERS, y)

    assert table.facts.default_target == name
    assert table.columns[name].to_pylist() == cells


def test_a_target_whose_name_is_taken_has_another():
    table = table_of({"y": [1, 2], "a": [1, 2]}, [0, 1])

    assert table.columns.column_names == ["y", "a", "y_2"]
    assert table.facts.default_target == "y_2"


def test_a_target_that_x_holds_too_is_no_feature_of_itself():
    frame = pd.DataFrame({"a": [1, 2], "label": ["x", "y"]})

    table = table_of(frame, frame.label)

    assert table.columns.column_names == ["a", "label"]
    assert table.facts.default_target == "label"


def test_dates_stay_dates():
    days = [datetime.date(2024, 1, 1), None, datetime.date(2024, 1, 3)]
    frame = pd.DataFrame({"at": pd.to_datetime(pd.Series(days))})

    assert table_of(frame).facts.columns[0].type == table_of({"at": days}).facts.columns[0].type == "date"


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.zeros((2, 2, 2, 2, 2)), r"2 dimensions; received one of shape \(2, 2, 2, 2, 2\)"),
        (np.zeros((0, 2)), "there are no rows"),
        ([], "there are no rows"),
        ({}, "no columns"),
        ([[1, 2], [3]], "row 1 has 2 values and row 2 has 1"),
        ([[1, "a"], ["b", 2]], "'column_1' does not hold values of one kind"),
        (np.array([[object()], [1]], object), "'column_1' does not hold values of one kind"),
        ([[[1, 2]], [[3, 4]]], "list<"),
        (np.array([[1.0, np.inf]]), "row 1 of column 'column_2' holds inf"),
        (np.array([[1j]]), "complex128"),
        ("rows.csv", "cannot be read from a str"),
        (7, "cannot be read from a int"),
        ({"a": 1.0}, "expected a list of rows; received one dict"),
        ({"a": [1], "b": [1, 2]}, "differ in length"),
        (pd.DataFrame({"a": [[1], [2]]}), "'a' holds list"),
        (pd.DataFrame({"a": pd.period_range("2020", periods=2, freq="D")}), "'a' holds extension<pandas.period"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_table_is_refused_in_words(x, said):
    with pytest.raises(InvalidDataError, match=said):
        table_of(x)


@pytest.mark.parametrize(
    ("y", "said"),
    [([1, 2], "3 rows of x and 2 of y"), (np.eye(3), "received 3 columns"), ([[1], [2, 3], [1]], "row 2")],
)
def test_targets_of_another_shape_are_refused(y, said):
    with pytest.raises(InvalidDataError, match=said):
        table_of(NUMBERS, y)


def test_renamed_columns_of_a_frame_are_said():
    facts = table_of(pd.DataFrame([[1, 2, 3], [4, 5, 6]], columns=["a", "a", " b "])).facts

    assert [(one.name, one.given_name) for one in facts.columns] == [("a", None), ("a_2", "a"), ("b", " b ")]
    assert [warning.code for warning in facts.warnings] == ["columns_renamed"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([10**30, None, 10**30 + 1], [str(10**30), None, str(10**30 + 1)]),
        (np.array([10**30, 1], object), [str(10**30), "1"]),
        (pd.Series([10**30, 1]), [str(10**30), "1"]),
        (pd.array([1, None, 2], dtype="Int64"), [1, None, 2]),
        (pd.Categorical(["u", None, "v"]), ["u", None, "v"]),
        (np.ma.masked_array([1, 2, 3], [0, 1, 0]), [1, None, 3]),
        (np.array([[1.0], [2.0]]).view(np.matrix), [1.0, 2.0]),
    ],
    ids=["large", "large objects", "large in pandas", "pandas' array", "categorical", "masked", "matrix"],
)
def test_one_column_of_an_unusual_kind_keeps_its_values(cells, expected):
    assert columns_of(cells)["column_1"].to_pylist() == expected


def test_dates_from_the_first_year_to_the_last_are_read():
    moments = np.array(["0001-01-01", "9999-12-31"], "datetime64[s]")

    (column,) = table_of({"at": moments}).facts.columns

    assert column.type == "date"
