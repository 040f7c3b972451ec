"""`regcore predict`: a model in a folder, and one of a job on the real server."""

import csv
import gzip
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regcore import JobSpec, load_predictor, train
from regcore.artifacts import write_artifacts

Regcore = Callable[..., subprocess.CompletedProcess[str]]
HEADER = ["row", "prediction", "probability_high", "probability_low"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with model.json and its weights, and the rows that it was trained on."""
    path = tmp_path_factory.mktemp("model")
    lines = [f"{number},{'red' if number % 3 else 'blue'},{'high' if number >= 30 else 'low'}" for number in range(60)]
    (path / "rows.csv").write_text("\n".join(["size,colour,level", *lines, ""]))
    data = {"kind": "file", "path": str(path / "rows.csv"), "target": "level"}
    spec = {"data": data, "model": {"kind": "linear"}, "training": {"epochs": 20, "batch_size": 16}}
    write_artifacts(train(JobSpec.model_validate(spec)), path)
    return path


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_predictions_go_to_stdout_in_the_order_of_the_file(commands: Regcore, folder: Path) -> None:
    done = commands("predict", str(folder), str(folder / "rows.csv"))

    header, *rows = rows_of(done.stdout)
    expected = load_predictor(folder).predict_proba(folder / "rows.csv")
    assert done.returncode == 0
    assert header == HEADER
    assert [row[0] for row in rows] == [str(number) for number in range(1, 61)]
    assert [[float(share) for share in row[2:]] for row in rows] == expected.tolist()
    assert rows[0][1] == "low"
    assert rows[59][1] == "high"


def test_out_writes_the_same_whole_and_says_how_many(commands: Regcore, folder: Path, tmp_path: Path) -> None:
    printed = commands("predict", str(folder), str(folder / "rows.csv")).stdout

    done = commands("predict", str(folder), str(folder / "rows.csv"), "--out", str(tmp_path / "out.csv"))

    assert (tmp_path / "out.csv").read_text() == printed
    assert done.stdout == f"60 rows  {tmp_path / 'out.csv'}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_stdin_and_gzip_give_the_same(commands: Regcore, folder: Path, tmp_path: Path) -> None:
    rows = (folder / "rows.csv").read_text()
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(rows.encode()))

    texts = {
        commands("predict", str(folder), str(folder / "rows.csv")).stdout,
        commands("predict", str(folder), "-", stdin=rows).stdout,
        commands("predict", str(folder), str(tmp_path / "rows.csv.gz")).stdout,
    }

    assert len(texts) == 1


def test_what_training_did_not_see_is_a_note_on_stderr_said_once(
    commands: Regcore, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "new.csv").write_text("more,colour,size\nx,green,1\nx,blue,\n")

    done = commands("predict", str(folder), str(tmp_path / "new.csv"))

    assert [row[0] for row in rows_of(done.stdout)] == ["row", "1", "2"]
    notes = done.stderr.splitlines()
    assert all(note.startswith("Note: ") for note in notes)
    assert len(notes) == len(set(notes)) == 3
    assert all(any(word in note for note in notes) for word in ("more", "'green'", "'size'"))


def test_a_program_gets_one_object(commands: Regcore, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("colour,size\nred,50\n")

    said = json.loads(commands("predict", str(folder), str(tmp_path / "new.csv"), "--json").stdout)
    to_file = commands("predict", str(folder), str(tmp_path / "new.csv"), "--json", "--out", str(tmp_path / "o.csv"))

    [one] = said["predictions"]
    assert (one["row"], one["prediction"], said["num_rows"]) == (1, "high", 1)
    assert set(one["probabilities"]) == {"high", "low"}
    assert json.loads(to_file.stdout)["out"] == str(tmp_path / "o.csv")
    assert rows_of((tmp_path / "o.csv").read_text())[0] == HEADER


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("{folder}", "{tmp}/less.csv"), 5, "missing: size"),
        (("{folder}", "{tmp}/ragged.csv"), 5, "ragged.csv: Row 1"),
        (("{folder}", "{tmp}/none.csv"), 74, "No such file"),
        (("{folder}", "{tmp}/less.csv", "--out", "{tmp}/less.csv"), 2, "is not overwritten"),
        (("{folder}", "{tmp}/less.csv", "--out", "{tmp}/no/out.csv"), 2, "there is no directory"),
        (("{folder}", "{tmp}/less.csv", "--out", "{tmp}"), 2, "is a directory"),
        (("nothing", "{tmp}/less.csv"), 5, "No job has the id"),
        (("job_" + "0" * 26, "{tmp}/less.csv"), 2, "is running and has no model"),
        (("job_" + "1" * 26, "{tmp}/less.csv"), 2, "is failed and has no model"),
    ],
)
def test_what_goes_wrong_has_its_code_and_leaves_no_file(
    commands: Regcore,
    server: Any,
    job_body: Any,
    folder: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    (tmp_path / "less.csv").write_text("colour\nred\n")
    (tmp_path / "ragged.csv").write_text("colour,size\nred,1,2\nred,1\nblue,3\n")
    for digit, state in {"0": "running", "1": "failed"}.items():
        server.jobs["job_" + digit * 26] = job_body("job_" + digit * 26, state)

    done = commands("predict", *(argument.format(folder=folder, tmp=tmp_path) for argument in arguments))

    assert done.returncode == code
    assert said in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["less.csv", "ragged.csv"]


def test_a_job_of_an_own_file_predicts_as_its_folder_does(
    commands: Regcore, stack: Any, real_client: Any, folder: Path, tmp_path: Path
) -> None:
    data = {"kind": "file", "path": str(folder / "rows.csv"), "target": "level"}
    spec = {"data": data, "model": {"kind": "linear"}, "training": {"epochs": 3, "batch_size": 16}}
    job = real_client.jobs.create(spec).wait(120, progress=False)
    job.download(tmp_path, ["model.json", "model.safetensors"])

    by_job = commands("predict", job.id, str(folder / "rows.csv"))

    assert by_job.returncode == 0
    assert by_job.stdout == commands("predict", str(tmp_path), str(folder / "rows.csv")).stdout
    assert [row[1] for row in rows_of(by_job.stdout)[1:]] == job.predict(folder / "rows.csv").tolist()
