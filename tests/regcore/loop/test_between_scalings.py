import json

import numpy as np
import pandas as pd
import pytest

from regcore import load_predictor, train
from regcore.data.images.preprocessing import ImagePreprocessing
from regcore.loop.between_scalings import are_of_one_kind, between, other_rows

STILL = {"kind": "sgd", "learning_rate": 1e-30, "momentum": 0}
"""An optimizer that changes no bit."""


def rows(num_rows=200, seed=0, cities=("Aachen", "Bonn", "Celle")):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40 + 10 * seed, 9 + seed, num_rows),
            "city": rng.choice(list(cities), num_rows, p=[0.6, 0.3, 0.1]),
            "member": rng.choice([True, False, None], num_rows, p=[0.3, 0.5, 0.2]),
            "since": pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, num_rows), unit="D"),
        }
    )
    frame.loc[::7, "age"] = np.nan
    frame.loc[3::11, "city"] = None
    frame.loc[4::13, "since"] = pd.NaT
    frame["amount"] = frame.age.fillna(20) + 5 * (frame.city == "Bonn")
    return frame


def spec(target, **data):
    return {
        "data": {"kind": "arrays", "target": target, **data},
        "model": {"kind": "mlp", "hidden": [6]},
        "training": {"epochs": 2, "precision": "float64"},
        "resources": {"device": "cpu"},
    }


def start(tmp_path, parent, child, target="amount", *, of_parent=None, of_child=None):
    train(spec(target, **(of_parent or {})), parent).save(tmp_path / "parent")
    records = []
    going = {**spec(target, **(of_child or {})), "optimizer": STILL}
    weights = tmp_path / "parent" / "model.safetensors"
    train(going, child, starting_weights=weights, on_record=records.append).save(tmp_path / "child")
    return [record.body["code"] for record in records if "starting" in str(record.body.get("code"))]


def answers(tmp_path, frame):
    return [load_predictor(tmp_path / name).predict(frame) for name in ("parent", "child")]


@pytest.mark.parametrize(
    ("of_parent", "of_child"),
    [
        ({}, {"split_seed": 5}),
        ({}, {"standardize": False}),
        ({"features": {"missing": "median"}}, {"features": {"missing": "mean"}}),
        ({}, {"standardize_target": False, "split_seed": 2}),
    ],
    ids=str,
)
def test_a_child_on_the_same_columns_begins_with_what_its_parent_predicted(tmp_path, of_parent, of_child):
    warned = start(tmp_path, rows(), rows(), of_parent=of_parent, of_child=of_child)

    theirs, ours = answers(tmp_path, rows())
    assert warned == []
    assert np.ptp(theirs) > 1
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_other_rows_of_the_same_columns_too(tmp_path):
    start(tmp_path, rows(), rows(150, seed=2))

    theirs, ours = answers(tmp_path, rows(90, seed=3))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_a_category_keeps_its_weights_and_one_that_is_new_has_those_of_the_rare(tmp_path):
    parent, child = rows(), rows(150, seed=2, cities=("Bonn", "Aachen", "Dresden"))

    warned = start(tmp_path, parent, child)

    theirs, ours = answers(tmp_path, child)
    assert warned == ["starting_weights_other_categories"]
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "target"),
    [
        (lambda frame: frame.rename(columns={"age": "height"}), "amount"),
        (lambda frame: frame.assign(city=frame.city.map({"Aachen": "b", "Bonn": "c", "Celle": "a"})), "city"),
    ],
    ids=["columns", "classes"],
)
def test_other_columns_or_classes_are_said_and_change_nothing(tmp_path, change, target):
    warned = start(tmp_path, rows(), change(rows()), target)

    assert warned == ["starting_weights_not_rescaled"]


def test_images_of_another_scale_are_of_another_kind():
    ours = ImagePreprocessing((1, 8, 8), 16.0)

    assert between(ours, ours).is_identity
    assert are_of_one_kind(ImagePreprocessing.from_json(json.loads(json.dumps(ours.to_json()))), ours)
    assert not are_of_one_kind(ImagePreprocessing((1, 8, 8), 255.0), ours)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.rename(columns={"age": "years"}), "other columns: only there 'age'; only here 'years'"),
        (lambda frame: frame.drop(columns="city"), "other columns: only there 'city'"),
        (lambda frame: frame[["since", "age", "city", "member", "amount"]], "the same columns in another order: 'age'"),
        (lambda frame: frame.assign(member=1.5), "columns of another type, or with other values or gaps: 'member'"),
    ],
)
def test_rows_of_another_kind_are_told_by_their_columns(tmp_path, change, said):
    frame = rows()
    for name, one in {"theirs": frame, "ours": change(frame)}.items():
        train(spec("amount"), one).save(tmp_path / name)
    theirs, ours = (load_predictor(tmp_path / name).preprocessing for name in ("theirs", "ours"))

    assert not are_of_one_kind(theirs, ours)
    assert other_rows(theirs, ours).startswith(said)
