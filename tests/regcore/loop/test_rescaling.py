"""What a run that starts from another one's weights predicts of raw rows, before it has learned anything."""

import json

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file
from sklearn.datasets import load_diabetes, load_digits

from regcore import load_predictor, train
from regcore.errors import InvalidDataError

PATIENTS = load_diabetes(scaled=False).data[:50]
STILL = {"kind": "sgd", "learning_rate": 1e-30, "momentum": 0}
"""An optimizer that changes no bit."""
MODELS = [
    {"kind": "linear"},
    {"kind": "mlp", "hidden": [8]},
    {
        "kind": "layers",
        "layers": [
            {"kind": "dropout", "p": 0.1},
            {"kind": "linear", "features": 4, "name": "first"},
            {"kind": "activation", "name": "tanh"},
            {"kind": "linear", "name": "last", "features": 1},
            {"kind": "dropout", "p": 0.1},
        ],
    },
]


@pytest.fixture
def start(tmp_path):
    """Trains a parent, then a child that learns nothing, each with its changes; both are saved."""

    def run(parent, child, *, forget=lambda folder: None, **parts):
        base = {
            "data": {"kind": "builtin", "name": "diabetes"},
            "model": {"kind": "linear"},
            "training": {"epochs": 3, "batch_size": "full", "precision": "float64"},
            "resources": {"device": "cpu"},
            **parts,
        }
        given = {**base, "data": {**base["data"], **parent}, "optimizer": {"kind": "sgd", "learning_rate": 1e-6}}
        train(given).save(tmp_path / "parent")
        forget(tmp_path / "parent")
        records = []
        going = {**base, "data": {**base["data"], **child}, "optimizer": STILL}
        weights = tmp_path / "parent" / "model.safetensors"
        train(going, starting_weights=weights, on_record=records.append).save(tmp_path / "child")
        return [record.body["code"] for record in records if record.kind == "warning"]

    return run


def predictions(tmp_path, rows=PATIENTS):
    return [load_predictor(tmp_path / name).predict(rows) for name in ("parent", "child")]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["kind"])
@pytest.mark.parametrize(
    ("parent", "child"),
    [
        ({"standardize_target": False}, {}),
        ({}, {"standardize_target": False}),
        ({}, {"train_limit": 3}),
        ({}, {"split_seed": 5}),
        ({"standardize": False, "standardize_target": False}, {}),
        ({}, {"standardize": False}),
    ],
    ids=str,
)
def test_a_child_begins_with_what_its_parent_predicted(start, tmp_path, parent, child, model):
    warned = start(parent, child, model=model)

    theirs, ours = predictions(tmp_path)
    assert warned == []
    assert np.ptp(theirs) > 1e-3
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_images_by_channel_too(start, tmp_path):
    data = {"kind": "builtin", "name": "digits", "train_limit": 100}
    images = load_digits().images[:50]

    warned = start({"standardize": True}, {"train_limit": 7, "standardize": True}, data=data)

    theirs, ours = (load_predictor(tmp_path / name).predict_proba(images) for name in ("parent", "child"))
    assert warned == []
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


@pytest.mark.parametrize("precision", ["float32", "float64", "bfloat16"])
def test_with_the_same_scaling_no_bit_is_changed(start, tmp_path, precision):
    start({}, {}, training={"epochs": 1, "precision": precision})

    theirs, ours = (load_file(tmp_path / name / "model.safetensors") for name in ("parent", "child"))
    assert all(np.array_equal(theirs[name], ours[name]) for name in theirs)


def test_a_model_from_before_targets_were_scaled_has_them_as_they_are(start, tmp_path):
    def of_before(folder):
        described = json.loads((folder / "model.json").read_text())
        del described["target_scaling"]
        (folder / "model.json").write_text(json.dumps(described))

    start({"standardize_target": False}, {}, forget=of_before)

    theirs, ours = predictions(tmp_path)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


@pytest.mark.parametrize("name", ["diabetes", "wine"])
def test_weights_whose_scaling_is_not_known_are_taken_as_they_are_with_a_warning(start, tmp_path, name):
    data = {"kind": "builtin", "name": name}

    warned = start({}, {}, data=data, forget=lambda folder: (folder / "model.json").unlink())

    theirs, ours = (load_file(tmp_path / name / "model.safetensors") for name in ("parent", "child"))
    assert warned == ["starting_weights_not_rescaled"]
    assert all(np.array_equal(theirs[name], ours[name]) for name in theirs)


def test_a_description_of_other_weights_says_nothing_of_these(start):
    def of_others(folder):
        described = json.loads((folder / "model.json").read_text())
        described["weights"]["sha256"] = "0" * 64
        (folder / "model.json").write_text(json.dumps(described))

    warned = start({"standardize_target": False}, {}, forget=of_others)

    assert warned == ["starting_weights_not_rescaled"]


def test_nothing_is_said_where_nothing_is_scaled(start):
    digits = {"kind": "builtin", "name": "digits", "train_limit": 100}

    warned = start({}, {}, data=digits, forget=lambda folder: (folder / "model.json").unlink())

    assert warned == []


def test_weights_of_another_task_are_taken_as_they_are_with_a_warning(start, tmp_path):
    def of_a_classifier(folder):
        described = json.loads((folder / "model.json").read_text())
        (folder / "model.json").write_text(json.dumps(described | {"task": "classification"}))

    warned = start({}, {"train_limit": 3}, forget=of_a_classifier)

    theirs, ours = (load_file(tmp_path / name / "model.safetensors") for name in ("parent", "child"))
    assert warned == ["starting_weights_not_rescaled"]
    assert all(np.array_equal(theirs[name], ours[name]) for name in theirs)


@pytest.mark.parametrize(
    ("model", "change"),
    [
        ({"kind": "linear", "bias": False}, {"standardize_target": False}),
        ({"kind": "linear", "bias": False}, {"split_seed": 5}),
        (
            {"kind": "layers", "layers": [{"kind": "linear", "features": 1}, {"kind": "activation", "name": "relu"}]},
            {"standardize_target": False},
        ),
        (
            {"kind": "layers", "layers": [{"kind": "activation", "name": "relu"}, {"kind": "linear"}]},
            {"standardize": False},
        ),
    ],
    ids=["bias", "bias and features", "last", "first"],
)
def test_a_model_that_cannot_take_the_difference_up_is_refused(start, model, change):
    with pytest.raises(InvalidDataError, match="another mean and scale") as raised:
        start({}, change, model=model)

    assert "standardize_target" in raised.value.remedy


def test_a_description_that_cannot_be_read_is_told(start):
    with pytest.raises(InvalidDataError, match=r"model\.json of the weights to start from cannot be read"):
        start({}, {}, forget=lambda folder: (folder / "model.json").write_text("{"))


def test_what_training_never_saw_is_not_scored_by_the_weights_that_were_drawn():
    frame = pd.DataFrame({"colour": ["red", "blue"] * 20, "size": np.arange(40.0), "grown": [True, False] * 20})
    spec = {"model": {"kind": "mlp", "hidden": [4]}, "training": {"epochs": 2}}

    result = train(spec, frame, frame["size"] * 2 + (frame["colour"] == "red"))

    blue, red, never_seen = result.model[0].weight.detach().T[:3]
    assert result.data.preprocessing.encoded[0].categories == ("blue", "red")
    assert never_seen.abs().max() < 1e-5
    assert min(blue.abs().max(), red.abs().max()) > 1e-2
    assert result.sparsity == 0
