import itertools
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from regcore import load_predictor, train, train_many
from regcore.data.source import KnownSource, Sources, TableSource
from regcore.data.tables.find_types import find_facts
from regcore.data.tables.read.arrays import table_of
from regcore.data.tables.table import Table
from regcore.errors import InvalidDataError, OutOfMemoryError, SpecError, TrainingStopped
from regcore.plan import make_plan
from regcore.spec import parse_spec

WINE = parse_spec({"data": {"kind": "builtin", "name": "wine"}, "model": {"kind": "linear"}})
SPEC = {
    "model": {"kind": "mlp", "hidden": [8]},
    "optimizer": {"kind": "adam", "learning_rate": 0.01},
    "training": {"epochs": 3, "batch_size": 16},
    "resources": {"device": "cpu"},
}


def mixed(num_rows: int = 120, seed: int = 0) -> pd.DataFrame:
    """A table of every type, with gaps; `label` depends on age and city."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, num_rows).astype(float),
            "city": rng.choice(["Aachen", "Bonn", "Celle", "Dresden"], num_rows),
            "member": rng.choice(["yes", "no"], num_rows),
            "since": pd.date_range("2020-01-01", periods=num_rows, freq="37h").strftime("%Y-%m-%d %H:%M"),
            "who": [f"p{k % 17}" for k in range(num_rows)],
        }
    )
    frame["label"] = np.where((frame.age > 50) ^ (frame.city == "Bonn"), "stays", "leaves")
    frame.loc[::9, "age"] = np.nan
    frame.loc[5::20, "city"] = None
    return frame


def with_data(**data):
    return {**SPEC, "data": {"kind": "arrays", "target": "label", "exclude": ["who"], **data}}


def test_a_built_in_set_is_planned_for_and_read_from_the_same_source():
    source = Sources().of(WINE.data)

    plan = make_plan(WINE, facts_of=source.facts)
    prepared = source.prepare(plan.resolved_spec)

    assert isinstance(source, KnownSource)
    assert tuple(prepared.train.x.shape) == (plan.num_rows.train, *plan.input_shape)
    assert prepared.train.x.dtype == torch.float32


@pytest.mark.parametrize(
    ("name", "load", "precision"),
    [
        ("wine", load_wine, "float32"),
        ("breast-cancer", load_breast_cancer, "float32"),
        ("diabetes", lambda: load_diabetes(scaled=False), "float32"),
        ("diabetes", lambda: load_diabetes(scaled=False), "float64"),
    ],
    ids=["wine", "breast-cancer", "diabetes", "diabetes in float64"],
)
def test_a_built_in_table_from_a_csv_file_gives_the_same_bits(name, load, precision, tmp_path):
    bunch = load()
    frame = pd.DataFrame(bunch.data, columns=bunch.feature_names).assign(target=bunch.target)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    spec = {**SPEC, "training": {**SPEC["training"], "precision": precision}}

    builtin = train({**spec, "data": {"kind": "builtin", "name": name}})
    read = train({**spec, "data": {"kind": "file", "path": str(tmp_path / "rows.csv"), "target": "target"}})

    assert read.weights_sha256 == builtin.weights_sha256
    assert read.metrics == builtin.metrics
    assert [warning.code for warning in read.plan.warnings] == []


def test_a_file_is_read_once_for_many_specs(tmp_path):
    mixed().to_csv(tmp_path / "rows.csv", index=False)
    data = {"kind": "file", "path": str(tmp_path / "rows.csv"), "target": "label", "exclude": ["who"]}
    sources = Sources()

    assert sources.of(parse_spec({**SPEC, "data": data}).data) is sources.of(
        parse_spec({**SPEC, "data": {**data, "split_seed": 1}}).data
    )


POISON = {"age": 1e30, "city": "Atlantis", "member": "no", "since": "1971-03-04 05:06"}


@pytest.mark.parametrize("split", [{"split_seed": 3}, {"group_column": "who", "exclude": []}], ids=["rows", "groups"])
def test_what_validation_and_test_rows_hold_changes_no_weight_and_no_statistic(split):
    clean = mixed()
    result = train(with_data(**split), clean)
    poisoned = clean.copy()
    held_out = np.concatenate([result.data.validation.rows, result.data.test.rows])
    for name, value in POISON.items():
        # The facts of the file stay: as many cities, and gaps where there were gaps.
        cells = clean[name].map({"Aachen": "Dresden", "Bonn": "Aachen", "Celle": "Bonn", "Dresden": "Celle"})
        filled = cells if name == "city" else pd.Series(value, index=clean.index)
        poisoned.loc[held_out, name] = filled[held_out].where(clean.loc[held_out, name].notna(), None)

    again = train(with_data(**split), poisoned)

    assert not clean.equals(poisoned)
    assert again.weights_sha256 == result.weights_sha256
    assert again.data.preprocessing == result.data.preprocessing
    assert torch.equal(again.data.train.x, result.data.train.x)
    assert not torch.equal(again.data.test.x, result.data.test.x)


def test_targets_are_scaled_by_the_train_rows_alone():
    frame = mixed().assign(amount=lambda rows: rows.age.fillna(50) * 3.5 + np.arange(len(rows)) / 7)
    first = train(with_data(target="amount", exclude=["who", "label"]), frame)
    frame.loc[first.data.test.rows, "amount"] *= 1e6

    again = train(with_data(target="amount", exclude=["who", "label"]), frame)

    assert again.data.target_scaling == first.data.target_scaling
    assert again.weights_sha256 == first.weights_sha256


@pytest.mark.parametrize("seed", range(3))
def test_groups_are_honoured_in_every_resplit(seed):
    frame = mixed()

    data = train(with_data(group_column="who", exclude=[], split_seed=seed), frame).data

    of = [set(frame.who[split.rows]) for split in (data.train, data.validation, data.test)]
    assert all(not one & other for one, other in itertools.combinations(of, 2))
    assert "who" not in data.preprocessing.columns


def test_a_split_column_decides_and_is_no_feature():
    frame = mixed().assign(fold=(["train"] * 4 + ["validation", "test"]) * 20)

    result = train(with_data(split_column="fold", exclude=["who"]), frame)

    assert result.data.test.rows.tolist() == np.flatnonzero(frame.fold == "test").tolist()
    assert "fold" not in result.data.preprocessing.columns
    assert result.plan.num_rows.model_dump() == {"train": 80, "validation": 20, "test": 20}


def test_splits_that_are_handed_in_take_the_place_of_fractions():
    rows, validation, test = mixed(), mixed(30, seed=1), mixed(40, seed=2)
    y = rows.pop("label")

    def pair(frame):
        return frame.drop(columns="label"), frame.label

    spec = {**SPEC, "data": {"kind": "arrays", "exclude": ["who"]}}
    both = train(spec, rows, y, validation=pair(validation), test=pair(test))
    one = train(spec, rows, y, test=pair(test))

    assert both.plan.num_rows.model_dump() == {"train": 120, "validation": 30, "test": 40}
    assert one.plan.num_rows.model_dump() == {"train": 96, "validation": 24, "test": 40}
    assert one.data.test.rows.tolist() == list(range(40))


@pytest.mark.parametrize("target", ["label", "amount"])
def test_predictors_answer_raw_rows_as_the_runs_own_evaluation_did(target, tmp_path):
    frame = mixed().assign(amount=lambda rows: rows.age.fillna(50) * 3.5 + np.arange(len(rows)) / 7)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    result = train(with_data(target=target, exclude=["who"]), frame)
    result.save(tmp_path)
    rows = frame.iloc[result.data.test.rows]

    predictor = load_predictor(tmp_path)
    answers = predictor.predict(rows)

    if target == "label":
        right = answers == rows.label
        np.testing.assert_array_equal(right, result.rows["test/accuracy"])
        of_label = predictor.predict_proba(rows)[range(len(rows)), [predictor.classes.index(y) for y in rows.label]]
        np.testing.assert_allclose(-np.log(of_label), result.rows["test/loss"], rtol=1e-5)
    else:
        np.testing.assert_allclose(np.abs(answers - rows.amount), result.rows["test/mae"], rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(answers, result.predict(rows))
    np.testing.assert_array_equal(answers, predictor.predict(tmp_path / "rows.csv")[result.data.test.rows])
    alone = [predictor.predict(rows.iloc[[k]])[0] for k in range(len(rows))]
    np.testing.assert_array_equal(answers, alone)
    assert predictor.notes == []


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([" yes", "no "] * 30, np.array(["yes", "no"])),
        ([7, 3] * 30, np.array([7, 3])),
        ([True, False] * 30, np.array([True, False])),
        ([2.0, 5.0] * 30, np.array([2.0, 5.0])),
        (torch.tensor([12, 9] * 30), np.array([12, 9])),
    ],
    ids=["text", "integers", "booleans", "floats", "tensor"],
)
def test_predictions_are_labels_of_the_type_that_was_given(y, expected, tmp_path):
    x = [[1.0], [-1.0]] * 30
    spec = {**SPEC, "training": {"epochs": 20, "batch_size": 8}, "optimizer": {"kind": "adam", "learning_rate": 0.1}}
    train(spec, x, y).save(tmp_path)

    answers = load_predictor(tmp_path).predict(x[:2])

    assert answers.dtype.kind == expected.dtype.kind
    assert answers.tolist() == expected.tolist()


def test_classes_of_integers_are_in_the_order_of_numbers():
    y = list(range(12)) * 10

    result = train(SPEC, [[float(label)] for label in y], y)

    assert result.plan.classes == [str(label) for label in range(12)]
    assert result.predict_proba([[1.0]]).shape == (1, 12)


@pytest.mark.parametrize("num_train", [17, 33], ids=["one row left over", "two batches and one"])
def test_a_last_batch_of_one_row_trains(num_train):
    frame = mixed()

    result = train(with_data(train_limit=num_train), frame)

    assert len(result.data.train) == num_train
    assert np.isfinite(result.metrics["train/loss"])


def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path):
    frame = mixed()
    whole = train(with_data(), frame)
    steps = iter(range(100))

    with pytest.raises(TrainingStopped):
        train(with_data(), frame, resume_from=tmp_path, should_stop=lambda: next(steps) == 7)
    resumed = train(with_data(), frame, resume_from=tmp_path)

    assert resumed.is_exact
    assert resumed.weights_sha256 == whole.weights_sha256


def test_a_member_of_a_pass_equals_the_run_alone(tmp_path):
    mixed().to_csv(tmp_path / "rows.csv", index=False)
    data = {"kind": "file", "path": str(tmp_path / "rows.csv"), "target": "label", "exclude": ["who"]}
    specs = [
        {**SPEC, "data": data, "regularizers": [{"kind": "l2", "strength": strength}]} for strength in (0.0, 0.01, 0.1)
    ]

    together = train_many(specs)

    for spec, result in zip(specs, together, strict=True):
        alone = train({**spec, "fusion": "off"})
        assert result.metrics["validation/loss"] == pytest.approx(alone.metrics["validation/loss"], rel=1e-4)
        assert torch.equal(result.data.train.x, alone.data.train.x)


def test_findings_in_the_rows_are_warnings_of_the_run():
    frame = mixed().assign(copy=lambda rows: rows.label.map({"stays": 1.0, "leaves": 0.0}))
    records = []

    train(with_data(), frame, on_record=records.append)

    (found,) = [record.body for record in records if record.kind == "warning"]
    assert found["code"] == "column_equals_target"
    assert found["patch"] == [{"op": "add", "path": "/data/exclude/-", "value": "copy"}]


def test_model_json_holds_all_that_was_fitted(tmp_path):
    train(with_data(), mixed()).save(tmp_path)

    described = json.loads((tmp_path / "model.json").read_text())

    columns = {column["name"]: column for column in described["preprocessing"]["columns"]}
    assert list(columns) == ["age", "city", "member", "since"]
    assert columns["city"]["categories"] == ["Aachen", "Bonn", "Celle", "Dresden"]
    assert columns["age"]["fill"] == pytest.approx(columns["age"]["mean"])
    assert described["outputs"] == {"size": 2, "classes": ["leaves", "stays"], "label_type": "string"}


def test_rows_that_would_not_fit_into_memory_are_refused_before_they_are_made(monkeypatch):
    memory = type("Memory", (), {"available": 1000})
    monkeypatch.setattr("regcore.data.prepare.psutil.virtual_memory", lambda: memory)

    with pytest.raises(OutOfMemoryError, match=r"120 rows of .* are free") as caught:
        train(with_data(), mixed())

    assert "max_categories" in caught.value.remedy


def test_rows_that_are_handed_in_exclude_those_of_a_spec():
    with pytest.raises(SpecError, match=r"/data/kind: rows were handed in"):
        train({**SPEC, "data": {"kind": "builtin", "name": "wine"}}, [[1.0]] * 9, [0, 1, 2] * 3)
    with pytest.raises(InvalidDataError, match="need x too"):
        train({**SPEC, "data": {"kind": "builtin", "name": "wine"}}, test=([[1.0]], [1]))


def test_gaps_are_refused_where_the_spec_says_so():
    with pytest.raises(SpecError, match=r"/data/features/missing: .*'age' has 14 gaps, the first in row 1\."):
        train(with_data(features={"missing": "error"}), mixed())


def test_a_table_knows_its_facts_without_a_spec_of_its_kind():
    source = TableSource(table_of(mixed()), "rows.csv")

    plan = make_plan(with_data(), facts_of=source.facts)

    assert plan.task == "classification"
    assert plan.classes == ["leaves", "stays"]


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InvalidDataError, match=r"none\.csv cannot be opened"):
        train({**SPEC, "data": {"kind": "file", "path": str(tmp_path / "none.csv"), "target": "y"}})


def test_what_was_noticed_when_the_file_was_read_is_a_warning_of_the_plan(tmp_path):
    (tmp_path / "rows.csv").write_bytes(mixed().assign(city="Köln").to_csv(index=False).encode("latin-1"))
    data = {"kind": "file", "path": str(tmp_path / "rows.csv"), "target": "label", "exclude": ["who"]}

    codes = [warning.code for warning in train({**SPEC, "data": data}).plan.warnings]

    assert "encoding_guessed" in codes


def test_a_report_tells_groups_and_single_rows_as_the_file_has_them():
    frame = mixed()
    result = train(with_data(group_column="who"), frame)

    predicted = result.predict(frame)
    groups = result.report["groups"]
    assert groups["column"] == "who"
    for name in ("validation", "test"):
        told = groups["splits"][name]["groups"]
        assert sum(one["num_rows"] for one in told) == len(getattr(result.data, name))
        for one in told:
            own = (frame.who == one["group"]).to_numpy()
            assert one["num_rows"] == own.sum()
            assert one["metrics"]["accuracy"]["value"] == (predicted == frame.label)[own].mean()
    for row in result.report["worst_rows"]["splits"]["test"]["rows"]:
        assert (row["target"], row["prediction"]) == (frame.label[row["row"] - 1], predicted[row["row"] - 1])


@pytest.mark.parametrize(("format", "has_files"), [("zip", True), ("csv", False)])
def test_rows_that_are_files_are_known_by_their_paths(format, has_files):
    columns = pa.table(mixed().assign(file=[f"{k}.png" for k in range(120)])[["age", "file", "label"]])
    source = TableSource(Table(columns, find_facts(columns, format=format)))
    spec = make_plan(with_data(exclude=["file"]), facts_of=source.facts).resolved_spec

    prepared = source.prepare(spec)

    assert (prepared.files is not None) == has_files
    if has_files:
        taken = prepared.files.take(pa.array(prepared.row_numbers()["test"] - 1)).to_pylist()
        assert taken == [f"{place}.png" for place in prepared.test.rows]
