import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from regcore import load_predictor, train
from regcore.data.load import load
from regcore.data.split import split
from regcore.errors import InvalidDataError

RAW_ROWS = {
    "digits": lambda: load_digits().images,
    "mnist-5k": lambda: np.round(load(SimpleNamespace(kind="builtin", name="mnist-5k")).x * 255).astype(np.uint8),
    "breast-cancer": lambda: load_breast_cancer().data,
    "diabetes": lambda: load_diabetes(scaled=False).data,
}


def trained(name, directory, **changes):
    spec = {
        "data": {"kind": "builtin", "name": name},
        "model": {"kind": "mlp", "hidden": [16]},
        "regularizers": [{"kind": "dropout", "p": 0.2}],
        "optimizer": {"kind": "adam"},
        "training": {"epochs": 3, "precision": changes.pop("precision", "float32")},
        **changes,
    }
    result = train(spec)
    result.save(directory)
    return result


@pytest.fixture(scope="module")
def cancer(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cancer")
    return trained("breast-cancer", directory), load_predictor(directory)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    directory = tmp_path_factory.mktemp("digits")
    return trained("digits", directory), load_predictor(directory)


def data_of(result):
    return result.plan.resolved_spec.data


def raw_test_rows(result, name):
    spec = data_of(result)
    raw = load(spec)
    rows = split(raw, spec).test
    return RAW_ROWS[name]()[rows], raw.y[rows]


@pytest.mark.parametrize("precision", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("name", ["digits", "mnist-5k", "breast-cancer"])
def test_raw_test_rows_get_the_answers_of_the_runs_own_evaluation(name, precision, tmp_path):
    result = trained(name, tmp_path, precision=precision)
    rows, labels = raw_test_rows(result, name)

    predictor = load_predictor(tmp_path)

    assert (predictor.predict(rows) == labels).mean() == result.metrics["test/accuracy"]
    chosen = predictor.predict_proba(rows)[np.arange(len(labels)), labels]
    assert -np.log(chosen).mean() == pytest.approx(result.metrics["test/loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("digits", {"precision": "bfloat16"}),
        ("breast-cancer", {"task": {"kind": "classification", "loss": "binary_cross_entropy"}}),
        ("diabetes", {"precision": "float64"}),
    ],
)
def test_a_result_predicts_as_what_is_loaded_from_its_files(name, changes, tmp_path):
    result = trained(name, tmp_path, **changes)
    rows, _ = raw_test_rows(result, name)

    answers = result.predict(rows)

    np.testing.assert_array_equal(answers, load_predictor(tmp_path).predict(rows))
    assert len(set(answers.tolist())) > 1


def test_one_logit_answers_as_two_classes(tmp_path):
    result = trained("breast-cancer", tmp_path, task={"kind": "classification", "loss": "binary_cross_entropy"})
    rows, labels = raw_test_rows(result, "breast-cancer")

    predictor = load_predictor(tmp_path)

    assert (predictor.predict(rows) == labels).mean() == result.metrics["test/accuracy"]
    np.testing.assert_allclose(predictor.predict_proba(rows).sum(axis=1), 1)


def test_regression_gives_values(tmp_path):
    result = trained("diabetes", tmp_path, precision="float64")
    rows, targets = raw_test_rows(result, "diabetes")

    predictor = load_predictor(tmp_path)

    assert ((predictor.predict(rows) - targets) ** 2).mean() == pytest.approx(result.metrics["test/loss"], rel=1e-12)
    with pytest.raises(InvalidDataError, match="needs a classifier"):
        predictor.predict_proba(rows)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("scaled", [True, False])
def test_answers_are_in_the_targets_own_unit(scaled, precision, tmp_path):
    data = {"kind": "builtin", "name": "diabetes", "standardize_target": scaled}
    optimizer = {"kind": "adam", "learning_rate": 0.01 if scaled else 1.0}
    result = trained("diabetes", tmp_path, precision=precision, data=data, optimizer=optimizer)
    rows, targets = raw_test_rows(result, "diabetes")

    predictor = load_predictor(tmp_path)

    errors = predictor.predict(rows) - targets
    assert np.abs(errors).mean() == pytest.approx(result.metrics["test/mae"], rel=1e-5)
    assert (errors**2).mean() == pytest.approx(result.metrics["test/loss"], rel=1e-5)
    assert np.abs(errors).mean() < 100
    kept = json.loads((tmp_path / "model.json").read_text())["target_scaling"]
    raw = load(data_of(result))
    train_targets = raw.y[split(raw, data_of(result)).train]
    assert kept == (
        {"mean": pytest.approx(train_targets.mean()), "scale": pytest.approx(train_targets.std())} if scaled else None
    )


def test_a_model_that_was_saved_before_targets_were_scaled_is_still_read(tmp_path):
    trained("diabetes", tmp_path, data={"kind": "builtin", "name": "diabetes", "standardize_target": False})
    expected = load_predictor(tmp_path).predict(load_diabetes(scaled=False).data[:5])
    described = json.loads((tmp_path / "model.json").read_text())
    del described["target_scaling"]
    (tmp_path / "model.json").write_text(json.dumps(described))

    answers = load_predictor(tmp_path).predict(load_diabetes(scaled=False).data[:5])

    np.testing.assert_array_equal(answers, expected)


def test_rows_by_column_name_may_come_in_any_order(cancer):
    _, predictor = cancer
    rows = load_breast_cancer().data[:20]
    frame = pd.DataFrame(rows, columns=predictor.preprocessing.columns).iloc[:, ::-1]

    by_list, by_frame, by_dicts = (
        predictor.predict_proba(given) for given in (rows.tolist(), frame, frame.to_dict("records"))
    )

    np.testing.assert_array_equal(by_list, by_frame)
    np.testing.assert_array_equal(by_list, by_dicts)


def test_images_may_be_flat_or_without_channel(digits):
    _, predictor = digits
    images = load_digits().images[:20]

    answers = [predictor.predict_proba(images.reshape(shape)) for shape in ((20, 8, 8), (20, 1, 8, 8), (20, 64))]

    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])


def test_no_rows_give_no_answers(digits):
    _, predictor = digits

    assert predictor.predict(np.zeros((0, 8, 8))).shape == (0,)


@pytest.mark.parametrize(
    "rows", [np.zeros((3, 7, 7)), np.zeros(64), np.zeros((2, 3, 8, 8)), 5.0, "seven", [[1], [1, 2]]]
)
def test_images_of_another_shape_are_refused(digits, rows):
    _, predictor = digits

    with pytest.raises(InvalidDataError, match=r"Expected rows of shape|array of numbers|seven cannot be opened"):
        predictor.predict(rows)


@pytest.mark.parametrize("value", [np.nan, np.inf, None])
def test_values_that_are_not_finite_are_refused(cancer, value):
    _, predictor = cancer
    row = [value, *load_breast_cancer().data[0, 1:]]

    with pytest.raises(InvalidDataError, match="finite"):
        predictor.predict([row])


def test_missing_and_unknown_columns_are_named(cancer):
    _, predictor = cancer
    row = dict(zip(predictor.preprocessing.columns, load_breast_cancer().data[0], strict=True))
    row["mean radios"] = row.pop("mean radius")

    with pytest.raises(InvalidDataError, match=r"missing: mean radius; unknown: mean radios"):
        predictor.predict([row])


def test_one_dict_is_not_a_list_of_rows(cancer):
    _, predictor = cancer

    with pytest.raises(InvalidDataError, match="list of rows"):
        predictor.predict(dict.fromkeys(predictor.preprocessing.columns, 1.0))


def test_the_model_is_in_evaluation_mode(digits):
    _, predictor = digits

    assert not any(module.training for module in predictor.model.modules())


def test_weights_lie_where_torch_lays_them(digits, tmp_path):
    """Where a matrix begins decides the last bits of its products, and so those of a student of this model."""
    result, _ = digits
    result.save(tmp_path)

    loaded = [tensor for _ in range(5) for tensor in load_predictor(tmp_path).model.state_dict().values()]

    assert {tensor.data_ptr() % 64 for tensor in loaded} == {0}


def test_a_model_of_an_unknown_task_is_refused(tmp_path):
    trained("digits", tmp_path)
    described = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(described | {"task": "ranking"}))

    with pytest.raises(InvalidDataError, match="its task is 'ranking', and this installation knows classification"):
        load_predictor(tmp_path)


def test_only_a_model_that_reconstructs_rows_has_their_error(digits):
    _, predictor = digits

    with pytest.raises(InvalidDataError, match="this model's task is classification"):
        predictor.reconstruction_error(load_digits().images[:2])


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(InvalidDataError, match="Cannot load a model") as raised:
        load_predictor(tmp_path)

    assert "model.json" in raised.value.remedy


def test_weights_other_than_model_json_says_are_refused(tmp_path):
    trained("digits", tmp_path)
    described = json.loads((tmp_path / "model.json").read_text())
    described["weights"]["sha256"] = "0" * 64
    (tmp_path / "model.json").write_text(json.dumps(described))

    with pytest.raises(InvalidDataError, match="SHA-256"):
        load_predictor(tmp_path)
