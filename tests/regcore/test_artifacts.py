import csv
import hashlib
import io
import json
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from safetensors import safe_open
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from regcore import JobSpec, train
from regcore.artifacts import EVENT_FILE, errors_csv, tensorboard_zip, weights_sha256, write_artifacts

SPEC = JobSpec.model_validate(
    {
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "mlp", "hidden": [16]},
        "regularizers": [{"kind": "l1", "strength": 1e-3}, {"kind": "dropout", "p": 0.2}],
        "training": {"epochs": 3},
    }
)


@pytest.fixture(scope="module")
def result():
    return train(SPEC)


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory):
    directory = tmp_path_factory.mktemp("run") / "artifacts"
    write_artifacts(result, directory)
    return directory


def test_every_artifact_but_the_log_is_written(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "confusion_matrix.svg",
        "metrics.csv",
        "model.json",
        "model.safetensors",
        "report.json",
        "rows.safetensors",
        "tensorboard.zip",
    ]


def test_the_picture_shows_the_test_split(result, folder):
    counts = result.report["confusion_matrix"]["test"]["counts"]

    drawn = (folder / "confusion_matrix.svg").read_text()

    assert "Confusion matrix, test split" in drawn
    assert f"<title>0 → 0: {counts[0][0]} rows, " in drawn


def test_errors_of_rows_are_a_csv_of_all_splits(monkeypatch):
    errors = {"train": np.array([0.5, 0.25], np.float32), "test": np.array([1e-7, 3, 0.125], np.float32)}
    numbers = {"train": np.array([7, 2]), "test": None}

    whole = errors_csv(errors, numbers).decode()
    monkeypatch.setattr("regcore.artifacts.MAX_CSV_ROWS", 2)
    largest = errors_csv(errors, numbers).decode()

    rows = list(csv.DictReader(io.StringIO(whole)))
    assert [(row["split"], int(row["row"])) for row in rows] == [
        ("train", 7), ("train", 2), ("test", 1), ("test", 2), ("test", 3),
    ]  # fmt: skip
    assert [np.float32(row["reconstruction_error"]) for row in rows] == [0.5, 0.25, np.float32(1e-7), 3, 0.125]
    assert largest.splitlines() == ["split,row,reconstruction_error", "train,7,0.5", "test,2,3.0"]


def test_errors_of_files_tell_their_paths():
    files = pa.chunked_array([["a,b.png", 'q"x.png'], ["cät.png"]])

    written = errors_csv({"test": np.array([0.5, 2], np.float32)}, {"test": np.array([3, 2])}, files).decode()

    assert [row["file"] for row in csv.DictReader(io.StringIO(written))] == ["cät.png", 'q"x.png']


def test_weights_sha256_is_that_of_the_file(result, folder):
    content = (folder / "model.safetensors").read_bytes()

    assert hashlib.sha256(content).hexdigest() == result.weights_sha256 == weights_sha256(result.model.state_dict())


def test_weights_have_sorted_names_and_no_metadata(folder):
    with safe_open(folder / "model.safetensors", "pt") as opened:
        assert list(opened.keys()) == ["head.bias", "head.weight", "linear1.bias", "linear1.weight"]
        assert opened.metadata() is None


def test_another_order_of_names_gives_the_same_hash(result):
    state = result.model.state_dict()

    assert weights_sha256(dict(reversed(state.items()))) == weights_sha256(state)


def test_model_json_says_how_rows_become_answers(folder):
    described = json.loads((folder / "model.json").read_text())

    assert described["task"] == "classification"
    assert described["input_shape"] == [1, 8, 8]
    assert described["outputs"] == {"size": 10, "classes": list("0123456789")}
    assert described["preprocessing"]["image_maximum"] == 16
    assert [layer["kind"] for layer in described["layers"]][-1] == "linear"


def test_metrics_csv_has_a_row_for_each_evaluation(result, folder):
    with (folder / "metrics.csv").open(newline="") as text:
        rows = list(csv.DictReader(text))

    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert float(rows[-1]["test/loss"]) == result.history[-1]["values"]["test/loss"]


def test_report_json_is_the_report(result, folder):
    assert json.loads((folder / "report.json").read_text()) == json.loads(json.dumps(result.report))


def test_tensorboards_own_reader_reads_the_events(result, folder, tmp_path):
    with zipfile.ZipFile(folder / "tensorboard.zip") as zipped:
        zipped.extractall(tmp_path)

    events = EventAccumulator(str((tmp_path / EVENT_FILE).parent))
    events.Reload()

    assert set(events.Tags()["scalars"]) == set(result.history[-1]["values"])
    read = [(event.step, event.value) for event in events.Scalars("train/loss")]
    assert read == [(row["step"], pytest.approx(row["values"]["train/loss"])) for row in result.history]


def test_the_zip_depends_on_the_rows_alone(result):
    assert tensorboard_zip(result.history) == tensorboard_zip(result.history)


def test_a_value_that_is_not_finite_is_left_out_of_the_events(tmp_path):
    rows = [{"at": 1.0, "epoch": 1, "step": 1, "values": {"train/loss": None, "test/loss": 1.0}}]

    (tmp_path / "t.zip").write_bytes(tensorboard_zip(rows))

    zipfile.ZipFile(tmp_path / "t.zip").extractall(tmp_path)
    events = EventAccumulator(str((tmp_path / EVENT_FILE).parent))
    events.Reload()
    assert events.Tags()["scalars"] == ["test/loss"]
