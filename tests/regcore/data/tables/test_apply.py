import pandas as pd
import pyarrow as pa
import pytest

from regcore.data.tables.apply import apply_to_table
from regcore.data.tables.facts import Reading
from regcore.data.tables.features import Feature
from regcore.data.tables.fit import fit_columns
from regcore.data.tables.read.arrays import table_of
from regcore.errors import InvalidDataError

READING = Reading(num_missing=0, num_distinct=0)
TRAIN = {
    "age": pa.chunked_array([pa.array([1.0, 3.0, 2.0])]),
    "city": pa.chunked_array([pa.array(["a", "b", "a"])]),
    "member": pa.chunked_array([pa.array([True, False, None])]),
}
FEATURES = [
    Feature("age", "number", READING),
    Feature("city", "category", READING, num_categories=2),
    Feature("member", "boolean", READING, has_gaps=True),
]
ROW = {"age": 2, "city": "b", "member": True}
PLACES = [2, 0, 1, 0, 1, 0]


def fit(missing="mean"):
    given = ["left out", "age", "city", "member"]
    return fit_columns(FEATURES, TRAIN, missing=missing, standardize=False, given=given)


@pytest.mark.parametrize(
    "rows",
    [
        [ROW],
        [dict(reversed(ROW.items()))],
        pd.DataFrame([{**ROW, "left out": "any"}]),
        [{"age": " 2 ", "city": " b ", "member": "yes"}],
        table_of([ROW]),
        [[2, "b", True]],
        [["any", 2, "b", True]],
    ],
    ids=["dicts", "another order", "a column too many", "texts", "table", "by place", "by place, as given"],
)
def test_rows_of_any_kind_are_the_same(rows):
    encoded = apply_to_table(fit(), rows, "float32")

    assert encoded.x.tolist() == [PLACES]
    assert encoded.notes == []


def test_a_file_is_read(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"city": "b", "member": true, "age": 2}\n')

    assert apply_to_table(fit(), str(path), "float32").x.tolist() == [PLACES]


@pytest.mark.parametrize(
    ("change", "places", "said"),
    [
        ({"city": "new"}, [2, 0, 0, 1, 1, 0], "'city' holds categories never seen in training, as 'new': row 2 is"),
        ({"city": None}, [2, 0, 0, 1, 1, 0], "'city' had no gap in training; row 2 is taken for a rare category"),
        ({"age": None}, PLACES, "'age' had no gap in training; row 2 is filled as training's mean says"),
        ({"age": "old"}, PLACES, "'age' is not a number in row 2, as 'old'"),
        ({"more": 1}, PLACES, "ignored: more"),
    ],
    ids=["unseen", "gap in a category", "gap", "unreadable", "more"],
)
def test_what_training_did_not_see_is_said_and_has_its_place(change, places, said):
    encoded = apply_to_table(fit(), [{**ROW, "age": "2"}, {**ROW, "age": "2", **change}], "float32")

    assert encoded.x.tolist() == [PLACES, places]
    assert any(said in note for note in encoded.notes), encoded.notes


def test_a_gap_where_training_had_some_is_not_worth_a_note():
    encoded = apply_to_table(fit(), [{**ROW, "member": None}], "float32")

    assert encoded.x.tolist() == [[2, 0, 1, 0, 0.5, 1]]
    assert encoded.notes == []


def test_a_missing_column_is_named_with_those_that_are_unknown():
    with pytest.raises(InvalidDataError, match=r"missing: city; unknown: town") as caught:
        apply_to_table(fit(), [{"age": 1, "town": "a", "member": True}], "float32")

    assert caught.value.details == {"missing": ["city"], "unknown": ["town"]}


def test_a_name_that_is_nearly_a_missing_one_is_offered():
    with pytest.raises(InvalidDataError) as caught:
        apply_to_table(fit(), [{"Age ": 1, "city": "a", "member": True}], "float32")

    assert caught.value.remedy.endswith("Perhaps 'Age' is 'age'.")


def test_a_header_of_other_names_is_not_a_row(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a\n2\n")
    train = {"column_1": pa.chunked_array([pa.array([1.0, 3.0])])}
    features = [Feature("column_1", "number", READING)]
    unnamed = fit_columns(features, train, missing="mean", standardize=False, given=["column_1"])

    with pytest.raises(InvalidDataError, match="missing: column_1; unknown: a"):
        apply_to_table(unnamed, path, "float32")


def test_rows_without_names_need_all_columns():
    with pytest.raises(InvalidDataError, match=r"Expected rows of shape \(N, 3\)"):
        apply_to_table(fit(), [[1, 2]], "float32")


def test_gaps_are_refused_where_training_refused_them():
    with pytest.raises(InvalidDataError, match="'age' has a gap in row 2"):
        apply_to_table(fit("error"), [ROW, {**ROW, "age": None}], "float32")


def test_numbers_beyond_the_precision_of_the_network_are_refused_by_row():
    with pytest.raises(InvalidDataError, match=r"fit into float32.*row 2 of column 'age' holds 1e\+300"):
        apply_to_table(fit(), pd.DataFrame([ROW, {**ROW, "age": 1e300}]), "float32")

    assert apply_to_table(fit(), [{**ROW, "age": 1e300}], "float64").x[0, 0] == 1e300


@pytest.mark.parametrize(
    "rows", ["column_1,column_2\n3,2\n", "3,2\n", "2\n", "9,2\n3,2\n"], ids=["header", "all", "features", "two rows"]
)
def test_a_file_without_a_header_is_read_by_place_as_in_training(rows, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(rows)
    train = {"column_2": pa.chunked_array([pa.array([1.0, 3.0])])}
    by_place = fit_columns(
        [Feature("column_2", "number", READING)],
        train,
        missing="mean",
        standardize=False,
        given=["column_2"],
        target="column_1",
    )

    encoded = apply_to_table(by_place, path, "float32")

    assert encoded.x.tolist() == [[2]] * (2 if rows.startswith("9") else 1)
    assert encoded.notes == []
