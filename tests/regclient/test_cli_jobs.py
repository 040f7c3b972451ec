"""The commands about jobs, against `regcore up` itself."""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Regcore = Callable[..., subprocess.CompletedProcess[str]]
pytestmark = pytest.mark.usefixtures("stack")


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
    assert nothing.stdout.startswith("No jobs.")


def test_jobs_fits_a_terminal_of_80_columns(regcore: Regcore, trained_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    lines = regcore("jobs", "--limit", "1000").stdout.splitlines()

    assert max(len(line) for line in lines) <= 80
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


def test_download_of_a_file_that_is_not_there_is_a_usage_error(regcore: Regcore, trained_id: str) -> None:
    done = regcore("download", trained_id, "model.onnx")

    assert done.returncode == 2
    assert "model.safetensors" in done.stderr


def test_a_label_without_a_colon_is_a_usage_error(regcore: Regcore) -> None:
    assert regcore("jobs", "--label", "x").returncode == 2
