import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from regcore.data.tables.encode import TablePreprocessing
from regcore.data.tables.facts import Reading
from regcore.data.tables.features import Feature
from regcore.data.tables.fit import fit_columns

READING = Reading(num_missing=0, num_distinct=0)


def number(name, **more):
    return Feature(name, "number", READING, **more)


def category(name, num_categories, **more):
    return Feature(name, "category", READING, num_categories=num_categories, **more)


def arrow(**columns):
    return {name: pa.chunked_array([pa.array(cells)]) for name, cells in columns.items()}


def fit(features, train, *, missing="mean", standardize=True):
    return fit_columns(features, train, missing=missing, standardize=standardize, given=[f.name for f in features])


@pytest.mark.parametrize(("missing", "fill"), [("mean", 4.0), ("median", 1.0)])
def test_a_gap_is_filled_by_the_train_rows_and_marked(missing, fill):
    fitted = fit([number("a", has_gaps=True)], arrow(a=[1.0, 1.0, 10.0, None]), missing=missing, standardize=False)

    assert fitted.encode(arrow(a=[None, 2.0]), np.float32).x.tolist() == [[fill, 1], [2, 0]]


def test_a_gap_in_a_column_that_had_none_in_training_is_filled_and_told_and_not_marked():
    told = []
    fitted = fit([number("a", has_gaps=True)], arrow(a=[1.0, 3.0]), standardize=False)

    rows = fitted.encode(arrow(a=[None, 5.0]), np.float32, on_gap=lambda column, gap: told.append((column.name, gap))).x

    assert rows.tolist() == [[2, 0], [5, 0]]
    assert [(name, gap.tolist()) for name, gap in told] == [("a", [True, False])]


def test_every_place_knows_its_column():
    features = [number("a", has_gaps=True), category("c", 2), number("b")]

    fitted = fit(features, arrow(a=[1.0, None], c=["x", "y"], b=[3.0, 4.0]))

    assert fitted.columns_of_places == [0, 0, 1, 1, 1, 2]


def test_the_rare_and_the_never_seen_share_the_last_place():
    told = []
    train = arrow(c=["b", "a", "a", "c", "b", "d"])
    fitted = fit([category("c", 2)], train)

    rows = fitted.encode(
        arrow(c=["a", "b", "c", "new"]), np.float32, on_unseen=lambda column, unseen: told.append(unseen.tolist())
    ).x

    assert rows.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert told == [[False, False, True, True]]
    assert fitted.encoded[0].pools_rare


@pytest.mark.parametrize(
    ("train", "row"), [(["a", None, "b"], [0, 0, 0, 1]), (["a", "a", "b"], [0, 0, 1, 0])], ids=["learned", "not"]
)
def test_a_gap_among_categories_has_its_own_place_if_training_had_one(train, row):
    fitted = fit([category("c", 2, has_gaps=True)], arrow(c=train))

    assert fitted.encode(arrow(c=pa.array([None], pa.string())), np.float32).x.tolist() == [row]


def test_truth_values_are_0_and_1():
    fitted = fit([Feature("b", "boolean", READING, has_gaps=True)], arrow(b=[True, True, False, True, None]))

    assert fitted.encode(arrow(b=[True, False, None]), np.float32).x.tolist() == [[1, 0], [0, 0], [0.75, 1]]


def test_dates_are_a_number_and_parts_of_the_calendar_and_a_gap_has_their_means():
    days = pa.array(pd.to_datetime(["2024-01-01", "2024-01-03", None]).to_numpy(), pa.timestamp("us"))
    fitted = fit([Feature("d", "date", READING, has_gaps=True)], arrow(d=days))

    rows = fitted.encode(arrow(d=days), np.float64).x

    assert rows.shape == (3, 13)
    assert rows[:, 0].round(3).tolist() == [-1.225, 1.225, 0]
    assert rows[:, 5:12].tolist() == [[1, 0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0], [0.5, 0, 0.5, 0, 0, 0, 0]]
    assert rows[:, 12].tolist() == [0, 0, 1]


def test_without_standardizing_numbers_stay_as_they_are():
    fitted = fit([number("a")], arrow(a=[1000.0, 2000.0]), standardize=False)

    assert fitted.encode(arrow(a=[1500.0]), np.float32).x.tolist() == [[1500]]


def test_a_column_of_gaps_alone_in_training_is_zeros():
    fitted = fit([number("a", has_gaps=True)], arrow(a=pa.array([None, None], pa.float64())))

    assert fitted.encode(arrow(a=[None, 0.0]), np.float32).x.tolist() == [[0, 1], [0, 0]]


def test_json_gives_the_same_back():
    features = [
        number("a", has_gaps=True),
        category("c", 1),
        Feature("d", "date", Reading(num_missing=0, num_distinct=0, date_format="%d.%m.%Y", has_time=True)),
    ]
    days = pa.array(pd.to_datetime(["2024-01-01 10:00", "2024-01-03 11:00"]).to_numpy(), pa.timestamp("us"))
    fitted = fit(features, arrow(a=[1.0, None], c=["x", "y"], d=days))

    assert TablePreprocessing.from_json(json.loads(json.dumps(fitted.to_json()))) == fitted


def test_what_older_versions_wrote_is_read():
    body = {"kind": "table", "feature_shape": [2], "image_maximum": None, "mean": [1.0, 2.0], "std": [2.0, 4.0]}
    body["columns"] = [{"name": "a", "type": "number"}, {"name": "b", "type": "number"}]

    read = TablePreprocessing.from_json(body)

    assert read.columns == ("a", "b")
    assert read.encode(arrow(a=[3.0], b=[6.0]), np.float64).x.tolist() == [[1, 1]]
