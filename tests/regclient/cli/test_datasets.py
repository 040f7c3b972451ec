"""`regcore datasets`, and a file in a spec, against a server that can be told to fail."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_datasets import INVALID

Regcore = Callable[..., subprocess.CompletedProcess[str]]
ROWS = "age,city\n41,Oslo\n,Bergen\n"


@pytest.fixture
def rows_csv(server: Any, tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(ROWS)
    return path


def spec_of(path: str, **fields: Any) -> dict[str, Any]:
    return {"data": {"kind": "file", "path": path, "target": "city", **fields}, "model": {"kind": "linear"}}


def test_add_shows_what_was_read(commands: Regcore, rows_csv: Path) -> None:
    done = commands("datasets", "add", str(rows_csv))

    assert (done.returncode, done.stderr) == (0, "")
    assert "ready" in done.stdout
    [age] = [line.split() for line in done.stdout.splitlines() if line.split()[:1] == ["age"]]
    assert age == ["age", "number", "2", "30", "41", "|", "7"]
    assert "Read as Latin-1. Save it as UTF-8." in done.stdout
    assert '"data": {"kind": "dataset", "id": "ds_00' in done.stdout


def test_add_again_says_that_nothing_was_sent(commands: Regcore, server: Any, rows_csv: Path) -> None:
    first = commands("datasets", "add", str(rows_csv), "--json")

    again = commands("datasets", "add", str(rows_csv))

    assert json.loads(first.stdout)["name"] == "rows.csv"
    assert "had this file already; nothing was sent" in again.stderr
    assert server.datasets.num_begun == 1


def test_add_from_stdin_with_a_name_and_without_waiting(commands: Regcore, server: Any) -> None:
    server.datasets.num_looks = 100

    done = commands("datasets", "add", "-", "--name", "piped", "--header", "no", "--no-wait", "--json", stdin=ROWS)

    assert done.returncode == 0
    body = json.loads(done.stdout)
    assert (body["name"], body["header"], body["size_bytes"]) == ("piped", "no", len(ROWS))
    assert body["state"] == "validating"


@pytest.mark.parametrize("as_json", [False, True])
def test_an_invalid_file_is_5_with_its_row(commands: Regcore, server: Any, rows_csv: Path, as_json: bool) -> None:
    server.datasets.invalid = True

    done = commands("datasets", "add", str(rows_csv), *(["--json"] if as_json else []))

    assert done.returncode == 5
    if as_json:
        assert json.loads(done.stderr)["error"]["state_reason"] == INVALID
    else:
        assert "rows.csv" in done.stderr
        assert "line 7, row 6" in done.stderr
        assert "Quote cells" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("add", "{folder}/none.csv"), 74, "No such file or directory"),
        (("add", "{folder}"), 2, "rows.csv is a file of rows"),
        (("add", "{folder}/rows.csv", "--header", "maybe"), 2, "--header"),
        (("add", "{folder}/rows.csv", "--timeout", "0.2"), 124, "still validating"),
        (("show", "nothing"), 5, "`regcore datasets` lists data sets"),
        (("show", "job_" + "0" * 26), 2, "Expected a data set; job_"),
        (("delete", "rows.csv"), 5, "No data set has the id"),
    ],
)
def test_what_goes_wrong_has_its_code_and_a_remedy(
    commands: Regcore, server: Any, rows_csv: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    server.datasets.num_looks = 1_000

    done = commands("datasets", *(argument.format(folder=rows_csv.parent) for argument in arguments))

    assert done.returncode == code
    assert said in " ".join(done.stderr.split())


@pytest.mark.parametrize("alone", [(), ("list",)])
def test_list_has_the_newest_first(commands: Regcore, rows_csv: Path, alone: tuple[str, ...]) -> None:
    other = rows_csv.with_name("other.csv")
    other.write_text("a,b\n1,2\n")
    nothing = commands("datasets", *alone).stdout
    for path in (rows_csv, other):
        commands("datasets", "add", str(path))

    text = commands("datasets", *alone).stdout
    bodies = json.loads(commands("datasets", *alone, "--json").stdout)

    assert nothing == "No data sets. `regcore datasets add FILE` makes one.\n"
    assert [body["name"] for body in bodies] == ["other.csv", "rows.csv"]
    assert text.index("other.csv") < text.index("rows.csv")
    assert text.splitlines()[1].split()[2:5] == ["ready", "40", "8"]


def test_a_name_the_beginning_of_an_id_and_last_find_it(commands: Regcore, rows_csv: Path) -> None:
    added = json.loads(commands("datasets", "add", str(rows_csv), "--json").stdout)

    found = [json.loads(commands("datasets", "show", text, "--json").stdout) for text in ("rows.csv", "last", "DS_00")]

    assert [one["id"] for one in found] == [added["id"]] * 3


def test_preview_prints_rows_with_gaps_as_dashes(commands: Regcore, rows_csv: Path) -> None:
    commands("datasets", "add", str(rows_csv))

    lines = commands("datasets", "preview", "last").stdout.splitlines()
    body = json.loads(commands("datasets", "preview", "last", "--json").stdout)

    assert [line.split() for line in lines] == [["age", "city"], ["41", "Oslo"], ["–", "Bergen"]]
    assert body == {"columns": ["age", "city"], "rows": [[41, "Oslo"], [None, "Bergen"]]}


def test_delete_asks_first(commands: Regcore, server: Any, rows_csv: Path) -> None:
    commands("datasets", "add", str(rows_csv))

    refused = commands("datasets", "delete", "last")
    kept = commands("datasets", "delete", "last", stdin="n\n", at_terminal=True)
    gone = commands("datasets", "delete", "rows.csv", "--yes")

    assert (refused.returncode, kept.returncode, gone.returncode) == (2, 130, 0)
    assert "deleted" in gone.stdout
    assert server.datasets.bodies == {}


def test_a_job_command_says_where_a_data_set_is_shown(commands: Regcore, server: Any) -> None:
    done = commands("show", "ds_" + "0" * 26)

    assert done.returncode == 2
    assert "`regcore datasets show ds_0" in " ".join(done.stderr.split())


@pytest.mark.parametrize("command", ["submit", "validate", "sweep"])
def test_a_file_in_a_spec_is_uploaded_and_its_id_submitted(
    commands: Regcore, server: Any, rows_csv: Path, command: str
) -> None:
    job = spec_of("rows.csv", types={"age": "number"})
    spec = rows_csv.with_name("spec.json")
    spec.write_text(json.dumps({"base": job, "seeds": [0]} if command == "sweep" else job))

    done = commands(command, str(spec), "--json")

    assert done.returncode == 0, done.stderr
    [dataset_id] = server.datasets.bodies
    expected = {"kind": "dataset", "id": dataset_id, "target": "city", "types": {"age": "number"}}
    answer = json.loads(done.stdout)
    sent = answer["resolved_spec"] if command == "validate" else answer["spec"]
    assert (sent["base"] if command == "sweep" else sent)["data"] == expected


def test_a_path_starts_at_the_spec_or_here_and_is_never_guessed(
    commands: Regcore, server: Any, rows_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs, here = tmp_path / "specs", tmp_path / "here"
    specs.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    (specs / "spec.json").write_text(json.dumps(spec_of("table.csv")))

    nowhere = commands("submit", "../specs/spec.json")
    (here / "table.csv").write_text("a,city\n1,2\n")
    here_alone = commands("submit", "../specs/spec.json")
    (specs / "table.csv").write_text("b,city\n1,2\n")
    both = commands("submit", "../specs/spec.json")
    (here / "table.csv").unlink()
    beside_alone = commands("submit", "../specs/spec.json")

    assert nowhere.returncode == 74
    assert "table.csv" in nowhere.stderr
    assert (here_alone.returncode, beside_alone.returncode) == (0, 0)
    assert both.returncode == 2
    assert "is both" in both.stderr
    assert len(server.datasets.bodies) == 2


def test_jobs_lists_those_that_train_on_a_table(commands: Regcore, server: Any, rows_csv: Path) -> None:
    commands("datasets", "add", str(rows_csv))

    done = commands("jobs", "--dataset", "rows.csv")

    asked = [query.get("dataset_id") for path, query in server.queries if path == "/v1/jobs"]
    assert done.returncode == 0
    assert asked == list(server.datasets.bodies)


def test_set_changes_the_file(commands: Regcore, server: Any, rows_csv: Path) -> None:
    other = rows_csv.with_name("other.csv")
    other.write_text("a,city\n1,2\n")

    done = commands("submit", "-", "--set", f"data.path={other}", stdin=json.dumps(spec_of(str(rows_csv))))

    assert done.returncode == 0
    assert [body["name"] for body in server.datasets.bodies.values()] == ["other.csv"]


def test_an_invalid_file_in_a_spec_is_5_and_no_job(commands: Regcore, server: Any, rows_csv: Path) -> None:
    server.datasets.invalid = True

    done = commands("submit", "-", stdin=json.dumps(spec_of(str(rows_csv))))

    assert done.returncode == 5
    assert "line 7, row 6" in done.stderr
    assert server.jobs == {}
