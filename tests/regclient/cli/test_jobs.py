"""The commands about jobs, against `regcore up` itself."""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

Regcore = Callable[..., subprocess.CompletedProcess[str]]
pytestmark = pytest.mark.usefixtures("stack")
DIGITS: dict[str, Any] = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}


@pytest.mark.parametrize("as_json", [True, False])
def test_submit_follow_trains_and_says_how_it_went(
    regcore: Regcore, short_spec: dict[str, Any], tmp_path: Path, as_json: bool
) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(short_spec))

    done = regcore("submit", str(tmp_path / "spec.json"), "--follow", *(["--json"] if as_json else []))

    assert done.returncode == 0
    if as_json:
        assert done.stderr == ""
        job = json.loads(done.stdout)
        assert job["state"] == "succeeded"
        assert job["result"]["metrics"]["test/accuracy"] > 0.8
    else:
        assert "succeeded" in done.stdout
        assert "test/accuracy" in done.stdout
        assert "train: loss" in done.stderr.splitlines()[-1]
        assert "train: loss" in done.stderr.splitlines()[-1]


def test_a_spec_comes_from_stdin_too_and_the_same_key_gives_the_same_job(
    regcore: Regcore, short_spec: dict[str, Any]
) -> None:
    submit = ("submit", "-", "--idempotency-key", "once", "--json")

    answers = [json.loads(regcore(*submit, stdin=json.dumps(short_spec)).stdout) for _ in range(2)]

    assert answers[0] == answers[1]


def test_submit_says_what_the_server_warns_of_and_how_to_change_it(
    regcore: Regcore, short_spec: dict[str, Any], tmp_path: Path
) -> None:
    rows = [f"{number},{number % 7},{'b' if number % 2 else 'a'}" for number in range(100)]
    (tmp_path / "rows.csv").write_text("\n".join(["id,size,label", *rows, ""]))
    data = {"kind": "file", "path": "rows.csv", "target": "label"}
    (tmp_path / "spec.json").write_text(json.dumps({**short_spec, "data": data}))

    done = regcore("submit", str(tmp_path / "spec.json"))

    job_id = done.stdout.split()[0]
    assert done.returncode == 0
    assert "'id'" in done.stderr
    assert f"regcore rerun {job_id} --patch" in done.stderr


def test_a_mistake_in_a_spec_is_5_and_names_field_and_remedy(regcore: Regcore, short_spec: dict[str, Any]) -> None:
    done = regcore("submit", "-", stdin=json.dumps({**short_spec, "model": {"kind": "mpl"}}))

    assert done.returncode == 5
    assert "/model" in done.stderr
    assert "mlp" in done.stderr


def test_jobs_lists_whole_ids_for_a_pipe_and_filters(regcore: Regcore, trained_id: str) -> None:
    found = regcore("jobs", "--label", "test:real", "--state", "succeeded")
    nothing = regcore("jobs", "--name", "of nobody")

    assert trained_id in found.stdout
    assert "succeeded" in found.stdout
    assert nothing.stdout == "No jobs. None matches; `regcore jobs` lists all.\n"


def test_jobs_fits_a_terminal_of_80_columns(regcore: Regcore, trained_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    lines = regcore("jobs", "--limit", "1000").stdout.splitlines()

    assert max(cell_len(line) for line in lines) <= 80
    assert any(trained_id in line and "short" in line and "succeeded" in line for line in lines)
    assert "…" not in "".join(lines)


def test_show_prints_state_and_result(regcore: Regcore, trained_id: str) -> None:
    text = regcore("show", trained_id).stdout
    body = json.loads(regcore("show", trained_id, "--json").stdout)

    assert trained_id in text
    assert body["result"]["weights_sha256"] in text
    assert body["spec"]["model"] == {"kind": "linear"}


def test_an_unknown_job_is_5(regcore: Regcore) -> None:
    done = regcore("show", "job_" + "0" * 26)

    assert done.returncode == 5
    assert "Traceback" not in done.stderr


def test_watch_prints_every_record_to_the_end(regcore: Regcore, trained_id: str) -> None:
    for_people = regcore("watch", trained_id)
    done = regcore("watch", trained_id, "--json")

    events = [json.loads(line) for line in done.stdout.splitlines()]
    lines = for_people.stdout.splitlines()
    assert (for_people.returncode, done.returncode) == (0, 0)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["body"]["state"] == "succeeded"
    assert len(lines) == len(events)
    assert "succeeded" in lines[-1]


def test_cancel_ends_a_running_job_and_watch_is_then_1(
    regcore: Regcore, real_client: Any, endless_spec: dict[str, Any]
) -> None:
    job = real_client.jobs.create(endless_spec)
    timed_out = regcore("watch", job.id, "--timeout", "0.5")

    cancelled = regcore("cancel", job.id, "--json")
    watched = regcore("watch", job.id, "--timeout", "20", "--json")

    assert timed_out.returncode == 124
    assert json.loads(cancelled.stdout)["state"] in ("cancelling", "cancelled")
    assert watched.returncode == 1
    assert json.loads(watched.stdout)["state_reason"]["code"] == "cancelled_by_user"


def test_pause_and_resume_say_where_the_job_is(
    regcore: Regcore, real_client: Any, endless_spec: dict[str, Any]
) -> None:
    job = real_client.jobs.create(endless_spec)

    paused = regcore("pause", job.id, "--json")
    resumed = regcore("resume", job.id)

    assert (paused.returncode, resumed.returncode) == (0, 0)
    assert json.loads(paused.stdout)["state"] in ("pausing", "paused")
    assert resumed.stdout.split()[0] == job.id
    job.cancel()


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_pausing_or_resuming_what_has_succeeded_is_5(regcore: Regcore, trained_id: str, action: str) -> None:
    assert regcore(action, trained_id).returncode == 5


def test_cancelling_what_has_succeeded_is_5(regcore: Regcore, trained_id: str) -> None:
    assert regcore("cancel", trained_id).returncode == 5


def test_download_saves_every_file_as_announced(
    regcore: Regcore, real_client: Any, trained_id: str, tmp_path: Path
) -> None:
    done = regcore("download", trained_id, "--dir", str(tmp_path), "--json")

    announced = {artifact["name"]: artifact["sha256"] for artifact in real_client.jobs.get(trained_id).artifacts()}
    saved = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.iterdir()}
    assert saved == announced
    assert {Path(path).name for path in json.loads(done.stdout)} == set(announced)


def test_download_with_a_damaged_file_is_5_and_saves_the_others(
    regcore: Regcore, stack: Any, real_client: Any, short_spec: dict[str, Any], tmp_path: Path
) -> None:
    job = real_client.jobs.create({**short_spec, "training": {"epochs": 2}}).wait(120, progress=False)
    announced = {artifact["name"]: artifact for artifact in job.artifacts()}
    sha256 = announced["model.safetensors"]["sha256"]
    file = stack.data_dir / "artifacts" / sha256[:2] / sha256[2:]
    whole = file.read_bytes()
    os.truncate(file, 100)

    done = regcore("download", job.id, "--dir", str(tmp_path), "--json")
    doctor = regcore("doctor", "--artifacts", "--json")
    file.write_bytes(whole)
    healed = regcore("doctor", "--artifacts")

    assert done.returncode == 5
    assert "model.safetensors" in json.loads(done.stderr)["error"]["detail"]
    assert {path.name for path in tmp_path.iterdir()} == set(announced) - {"model.safetensors"}
    assert {Path(path).name for path in json.loads(done.stdout)} == set(announced) - {"model.safetensors"}
    findings = [check for check in json.loads(doctor.stdout)["checks"] if check["name"] == "artifacts"]
    assert doctor.returncode == 1
    assert [finding["status"] for finding in findings] == ["problem"]
    assert findings[0]["message"].startswith(f"{job.id} model.safetensors is damaged: its file has 100 bytes")
    assert healed.returncode == 0


def test_download_into_a_file_says_that_a_directory_is_wanted(
    regcore: Regcore, trained_id: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    done = regcore("download", trained_id, "--dir", str(tmp_path / "file"))

    assert done.returncode == 74
    assert "Expected a directory, and a file has this name" in done.stderr
    assert str(tmp_path / "file") in done.stderr


def test_download_of_a_file_that_is_not_there_is_a_usage_error(regcore: Regcore, trained_id: str) -> None:
    done = regcore("download", trained_id, "model.onnx")

    assert done.returncode == 2
    assert "model.safetensors" in done.stderr


def test_a_label_without_a_colon_is_a_usage_error(regcore: Regcore) -> None:
    assert regcore("jobs", "--label", "x").returncode == 2


def test_set_changes_a_spec_before_it_is_submitted(commands: Regcore, real_client: Any) -> None:
    options = ("--set", "training.epochs=1", "--set", "regularizers.0.kind=l1", "--set", "regularizers.0.strength=1e-3")

    done = commands("submit", "-", *options, "--json", stdin=json.dumps(DIGITS))

    spec = real_client.jobs.get(json.loads(done.stdout)["id"]).spec
    assert spec["training"] == {"epochs": 1}
    assert spec["regularizers"] == [{"kind": "l1", "strength": 1e-3}]


def test_set_of_what_is_not_there_is_5_and_names_it(commands: Regcore) -> None:
    done = commands("submit", "-", "--set", "training.epoch=1", stdin=json.dumps(DIGITS))

    assert done.returncode == 5
    assert "/training/epoch:" in done.stderr
    assert "epochs" in done.stderr


def test_rerun_set_changes_the_resolved_spec_behind_a_patch(
    commands: Regcore, real_client: Any, trained_id: str
) -> None:
    patch = json.dumps([{"op": "add", "path": "/regularizers/-", "value": {"kind": "l2", "strength": 1}}])

    done = commands(
        "rerun", trained_id, "--patch", patch, "--set", "regularizers.0.strength=0.5", "--set", "name=x", "--json"
    )

    job = real_client.jobs.get(json.loads(done.stdout)["id"])
    assert job.parent_job_id == trained_id
    assert job.name == "x"
    assert [(one["kind"], one["strength"]) for one in job.resolved_spec["regularizers"]] == [("l2", 0.5)]


def test_an_object_as_a_patch_says_what_is_wanted(commands: Regcore, trained_id: str) -> None:
    done = commands("rerun", trained_id, "--patch", '{"training": {"epochs": 20}}')

    said = " ".join(done.stderr.replace("│", " ").split())
    assert done.returncode == 2
    assert """[{"op": "replace", "path": "/training/epochs", "value": 20}]""" in said
    assert "--set training.epochs=20" in said


def test_submit_with_seeds_is_a_sweep_of_so_many(commands: Regcore, real_client: Any) -> None:
    spec = {**DIGITS, "name": "over seeds", "training": {"epochs": 1}}

    done = commands("submit", "-", "--seeds", "3", "--follow", "--json", stdin=json.dumps(spec))

    sweep = json.loads(done.stdout)
    assert done.returncode == 0
    assert sweep["name"] == "over seeds"
    assert sorted(job.sweep["seed"] for job in real_client.sweeps.get(sweep["id"]).jobs()) == [0, 1, 2]


def test_jobs_says_when_there_are_more(commands: Regcore, real_client: Any, trained_id: str) -> None:
    real_client.jobs.create(DIGITS)

    cut, whole = commands("jobs", "--limit", "1").stdout, commands("jobs", "--limit", "1000").stdout

    assert "The newest 1; there are more. --limit 5 shows more of them." in cut
    assert "there are more" not in whole
    assert len(json.loads(commands("jobs", "--limit", "1", "--json").stdout)) == 1


def test_delete_asks_and_without_a_terminal_wants_yes(commands: Regcore, real_client: Any) -> None:
    job = real_client.jobs.create({**DIGITS, "name": "to delete", "training": {"epochs": 1}})
    job.wait(60, progress=False)

    unasked = commands("delete", job.id)
    deleted = commands("delete", "to delete", "--yes", "--json")

    assert unasked.returncode == 2
    assert "give --yes" in unasked.stderr
    assert json.loads(deleted.stdout) == [{"id": job.id, "deleted": True}]
    assert commands("show", job.id).returncode == 5


@pytest.mark.parametrize(("answer", "is_deleted"), [("y", True), ("n", False), ("", False)])
def test_delete_shows_a_terminal_what_it_would_delete_and_asks_once(
    server: Any, commands: Regcore, answer: str, is_deleted: bool
) -> None:
    specs = [json.dumps({**DIGITS, "name": name}) for name in ("first", "second")]
    ids = [json.loads(commands("submit", "-", "--json", stdin=spec).stdout)["id"] for spec in specs]

    done = commands("delete", *ids, stdin=f"{answer}\n", at_terminal=True)

    assert all(f"{one}  queued  {name}" in done.stderr for one, name in zip(ids, ("first", "second"), strict=True))
    assert done.stderr.count("for good?") == 1
    assert (done.returncode == 0) is is_deleted
    assert (server.jobs == {}) is is_deleted


def test_delete_looks_everything_up_first_and_names_what_it_cannot_delete(
    commands: Regcore, real_client: Any, endless_spec: dict[str, Any]
) -> None:
    ended = real_client.jobs.create({**DIGITS, "training": {"epochs": 1}}).wait(60, progress=False)
    runs = real_client.jobs.create(endless_spec)

    unknown = commands("delete", ended.id, "nobody", "--yes")
    still_there = commands("show", ended.id)
    partly = commands("delete", runs.id, ended.id, "--yes")
    runs.cancel()

    assert (unknown.returncode, still_there.returncode, partly.returncode) == (5, 0, 5)
    assert partly.stdout == f"{ended.id}  deleted\n"
    assert "409" in partly.stderr
