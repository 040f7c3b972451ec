"""The commands that look, against `regcore up` itself where the server's part matters."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Commands = Callable[..., subprocess.CompletedProcess[str]]
SPEC: dict[str, Any] = {
    "data": {"kind": "builtin", "name": "digits"},
    "model": {"kind": "linear"},
    "regularizers": [{"kind": "l1", "strength": 0.001}],
    "training": {"epochs": 2},
}


@pytest.fixture(scope="module")
def rerun_ids(shared_stack: Any) -> tuple[str, str]:
    """A job that has ended, and its rerun with other epochs."""
    with shared_stack.client() as client:
        parent = client.jobs.create(SPEC | {"name": "parent of look", "labels": {"team": "vision"}})
        parent.wait(120, progress=False)
        child = parent.rerun([{"op": "replace", "path": "/training/epochs", "value": 3}])
        return parent.id, child.wait(120, progress=False).id


def lines_of(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.mark.usefixtures("stack")
def test_show_says_what_was_set_and_to_whom_the_job_belongs(commands: Commands, rerun_ids: tuple[str, str]) -> None:
    lines = lines_of(commands("show", rerun_ids[0]).stdout)

    for expected in (
        "labels team:vision",
        "set /data builtin name=digits",
        "/regularizers/0 l1 strength=0.001",
        "/training/epochs 2",
    ):
        assert expected in lines
    assert any(line.startswith("created ") and line.endswith(" UTC") for line in lines)


@pytest.mark.usefixtures("stack")
def test_show_of_a_rerun_says_what_changed_of_its_parent(commands: Commands, rerun_ids: tuple[str, str]) -> None:
    parent, child = rerun_ids

    lines = lines_of(commands("show", child[:-1].lower()).stdout)

    assert f"parent {parent}" in lines
    assert "changed /training/epochs 2 → 3" in lines
    assert not any(line.startswith("set ") for line in lines)


def test_show_of_a_rerun_whose_parent_is_deleted_says_what_was_set(commands: Commands, server: Any) -> None:
    job_id = json.loads(commands("submit", "-", "--json", stdin=json.dumps(SPEC)).stdout)["id"]
    server.jobs[job_id]["parent_job_id"] = "job_" + "9" * 26

    done = commands("show", job_id)

    assert done.returncode == 0
    assert "/training/epochs 2" in lines_of(done.stdout)


@pytest.mark.usefixtures("stack")
def test_an_address_of_a_job_s_part_is_no_id(commands: Commands, rerun_ids: tuple[str, str]) -> None:
    done = commands("show", f"{rerun_ids[0]}/report")

    assert done.returncode == 5
    assert "No job or sweep has the id" in done.stderr


@pytest.mark.usefixtures("stack")
def test_report_is_for_people_or_the_server_s_own(commands: Commands, rerun_ids: tuple[str, str]) -> None:
    text = commands("report", rerun_ids[0]).stdout
    body = json.loads(commands("report", rerun_ids[0], "--json").stdout)

    assert "generalization gap" in text
    assert "Adds λ times" in text
    assert body["metrics"]["test"]["accuracy"]["low"] < body["metrics"]["test"]["accuracy"]["high"]


@pytest.mark.usefixtures("stack")
def test_logs_are_the_lines_of_the_log_file(commands: Commands, rerun_ids: tuple[str, str], tmp_path: Path) -> None:
    commands("download", rerun_ids[0], "log.txt", "--dir", str(tmp_path))

    printed = commands("logs", rerun_ids[0])
    followed = [json.loads(line) for line in commands("logs", rerun_ids[0], "--follow", "--json").stdout.splitlines()]

    assert printed.returncode == 0
    assert printed.stdout == (tmp_path / "log.txt").read_text()
    assert [event["body"]["message"] for event in followed] == printed.stdout.splitlines()


def test_logs_print_text_as_it_is_and_warnings_as_such(commands: Commands, server: Any) -> None:
    job_id = json.loads(commands("submit", "-", "--json", stdin=json.dumps(SPEC)).stdout)["id"]
    bodies = [("log", "[bold]x"), ("metrics", ""), ("warning", "y" * 300)]
    server.events = [
        {"seq": seq, "at": "t", "kind": kind, "body": {"message": text}} for seq, (kind, text) in enumerate(bodies, 1)
    ]

    assert commands("logs", job_id).stdout == f"[bold]x\nwarning: {'y' * 300}\n"


def test_logs_of_a_job_that_wrote_nothing_say_where_it_is(commands: Commands, server: Any) -> None:
    job_id = json.loads(commands("submit", "-", "--json", stdin=json.dumps(SPEC)).stdout)["id"]
    server.events = []

    done = commands("logs", job_id)

    assert (done.returncode, done.stdout) == (0, "")
    assert "has written nothing yet; it is queued" in done.stderr


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("spec", "options", "said"),
    [
        (SPEC, [], ["valid a job; none was submitted", "parameters 650", "epochs 2"]),
        (SPEC, ["--set", "training.epochs=7"], ["epochs 7", "/training/epochs 7"]),
        (SPEC, ["--seeds", "5"], ["valid a sweep; none was submitted", "jobs 5"]),
        ({"base": SPEC, "seeds": [0, 1]}, [], ["valid a sweep; none was submitted", "combinations 1", "jobs 2"]),
    ],
)
def test_validate_says_what_a_spec_comes_to(
    commands: Commands, spec: dict[str, Any], options: list[str], said: list[str]
) -> None:
    done = commands("validate", "-", *options, stdin=json.dumps(spec))

    assert done.returncode == 0
    assert set(said) <= set(lines_of(done.stdout))


@pytest.mark.usefixtures("stack")
def test_validate_refuses_as_submit_does(commands: Commands) -> None:
    wrong = json.dumps({**SPEC, "model": {"kind": "mpl"}})

    validated, submitted = commands("validate", "-", stdin=wrong), commands("submit", "-", stdin=wrong)

    assert validated.returncode == submitted.returncode == 5
    assert "/model" in validated.stderr
    assert validated.stderr.splitlines()[1:] == submitted.stderr.splitlines()[1:]


@pytest.mark.usefixtures("stack")
def test_workers_lists_them(commands: Commands) -> None:
    [worker] = json.loads(commands("workers", "--json").stdout)

    lines = lines_of(commands("workers").stdout)

    assert any(line.startswith(f"{worker['id']} {worker['node']} – ready") for line in lines)


def test_watch_of_a_sweep_shows_it_at_its_end(commands: Commands, server: Any) -> None:
    commands("sweep", "-", stdin=json.dumps({"base": SPEC, "name": "n"}))
    server.ends_after_gets = 2

    done = commands("watch", "n")

    assert done.returncode == 0
    assert "4 succeeded" in done.stdout


ABOUT_JOBS = ["pause", "resume", "rerun", "logs", "report", "download"]


@pytest.mark.parametrize("command", [*ABOUT_JOBS, "watch", "show", "cancel"])
def test_every_command_about_a_job_takes_a_name(
    commands: Commands, server: Any, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job_id = json.loads(commands("submit", "-", "--json", stdin=json.dumps(SPEC | {"name": "n"})).stdout)["id"]
    server.jobs[job_id]["state"] = "succeeded"

    commands(command, "n")

    assert any(f"/v1/jobs/{job_id}" in path for _, path, _ in server.requests)


@pytest.mark.parametrize("command", ABOUT_JOBS)
def test_a_command_about_jobs_says_that_a_sweep_is_none(commands: Commands, server: Any, command: str) -> None:
    done = commands(command, "swp_" + "0" * 26)

    assert done.returncode == 2
    assert "is a sweep" in done.stderr
    assert server.requests == []


def test_download_of_a_job_without_artifacts_says_so(commands: Commands, server: Any, tmp_path: Path) -> None:
    job_id = json.loads(commands("submit", "-", "--json", stdin=json.dumps(SPEC)).stdout)["id"]
    server.artifacts = []

    done = commands("download", job_id, "--dir", str(tmp_path))

    assert (done.returncode, done.stdout) == (0, "")
    assert "has no artifacts yet; it is queued" in done.stderr
