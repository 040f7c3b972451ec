import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from regclient.cli import datasets
from regclient.cli.entry import app

Regcore = Callable[..., subprocess.CompletedProcess[str]]
SPEC: dict[str, Any] = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}


@pytest.fixture
def job_id(regcore: Regcore, server: Any) -> str:
    done = regcore("submit", "-", "--json", stdin=json.dumps(SPEC))
    assert done.returncode == 0, done.stderr
    job_id: str = json.loads(done.stdout)["id"]
    return job_id


def test_submit_prints_the_job(regcore: Regcore, server: Any, job_id: str) -> None:
    assert list(server.jobs) == [job_id]


def test_submit_follow_is_1_where_the_job_failed(regcore: Regcore, server: Any, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    key = ("--idempotency-key", "k")
    job_id = json.loads(regcore("submit", str(tmp_path / "spec.json"), *key, "--json").stdout)["id"]
    server.jobs[job_id]["state"] = "failed"

    assert regcore("submit", str(tmp_path / "spec.json"), *key, "--follow").returncode == 1


def test_watch_is_0_where_the_job_succeeded(regcore: Regcore, server: Any, job_id: str) -> None:
    server.jobs[job_id]["state"] = "succeeded"

    done = regcore("watch", job_id, "--json")

    assert done.returncode == 0
    assert [json.loads(line)["seq"] for line in done.stdout.splitlines()] == [1, 2, 3, 4, 5, 6]


def test_watch_is_124_when_time_is_up(regcore: Regcore, job_id: str) -> None:
    assert regcore("watch", job_id, "--timeout", "0.2").returncode == 124


@pytest.mark.parametrize("text", ["{", "[]", None])
def test_a_spec_that_cannot_be_read_is_a_usage_error(
    regcore: Regcore, server: Any, text: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "spec.json"
    if text is not None:
        path.write_text(text)

    assert regcore("submit", str(path)).returncode == 2


def test_no_server_is_3(regcore: Regcore, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from regclient.stack.up import free_port

    monkeypatch.setenv("REGCORE_URL", f"http://127.0.0.1:{free_port()}")

    done = regcore("jobs")

    assert done.returncode == 3
    assert "regcore up" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_key_is_4(regcore: Regcore, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGCORE_API_KEY", "rc_wrong")

    assert regcore("jobs").returncode == 4


def test_a_problem_is_5_and_names_the_field(regcore: Regcore, server: Any) -> None:
    done = regcore("submit", "-", stdin=json.dumps({**SPEC, "model": {"kind": "mpl"}}))

    assert done.returncode == 5
    assert "/model/kind: Did you mean 'mlp'?" in done.stderr


def test_a_problem_as_json_is_the_server_s_own(regcore: Regcore, server: Any) -> None:
    done = regcore("show", "job_x", "--json")

    assert done.returncode == 5
    assert json.loads(done.stderr)["error"]["type"] == "urn:regcore:problem:not_found"


def test_jobs_show_cancel_and_download(regcore: Regcore, server: Any, job_id: str, tmp_path: Path) -> None:
    assert job_id in regcore("jobs").stdout
    assert job_id in regcore("show", job_id).stdout
    assert json.loads(regcore("cancel", job_id, "--json").stdout)["state"] == "cancelled"
    assert regcore("download", job_id, "--dir", str(tmp_path)).returncode == 0
    assert (tmp_path / "model.safetensors").exists()


def test_jobs_as_json_is_limited(regcore: Regcore, job_id: str) -> None:
    assert [job["id"] for job in json.loads(regcore("jobs", "--json", "--limit", "1").stdout)] == [job_id]


def test_rerun_takes_a_patch_as_json_or_from_a_file(regcore: Regcore, server: Any, job_id: str, tmp_path: Path) -> None:
    patch = [{"op": "replace", "path": "/name", "value": "again"}]
    (tmp_path / "patch.json").write_text(json.dumps(patch))

    inline = regcore("rerun", job_id, "--patch", json.dumps(patch), "--start-from", "weights", "--json")
    filed = regcore("rerun", job_id, "--patch", str(tmp_path / "patch.json"))

    assert json.loads(inline.stdout)["parent_job_id"] == job_id
    assert filed.stdout.split()[1] == "queued"
    assert server.bodies == [{"patch": patch, "start_from": "weights"}, {"patch": patch, "start_from": "scratch"}]


def test_rerun_follow_is_1_where_the_job_failed(regcore: Regcore, server: Any, job_id: str) -> None:
    new_id = json.loads(regcore("rerun", job_id, "--idempotency-key", "k", "--json").stdout)["id"]
    server.jobs[new_id]["state"] = "failed"

    assert regcore("rerun", job_id, "--idempotency-key", "k", "--follow").returncode == 1


@pytest.mark.parametrize(
    "options", [("--patch", "[}"), ("--patch", "no.json"), ("--patch", "[1]"), ("--start-from", "middle")]
)
def test_a_rerun_that_cannot_be_read_is_a_usage_error(
    regcore: Regcore, server: Any, job_id: str, options: tuple[str, str]
) -> None:
    assert regcore("rerun", job_id, *options).returncode == 2
    assert server.bodies == []


def test_a_rerun_from_no_checkpoint_is_5(regcore: Regcore, job_id: str) -> None:
    done = regcore("rerun", job_id, "--start-from", "checkpoint")

    assert done.returncode == 5
    assert "no checkpoint" in done.stderr


def test_version_says_which_is_installed(commands: Regcore) -> None:
    done = commands("--version")

    assert (done.returncode, done.stdout) == (0, f"regcore {version('regcore')}\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(
    commands: Regcore, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    monkeypatch.setenv("_REGCORE_COMPLETE", f"source_{shell}")

    done = commands()

    assert done.returncode == 0
    assert "_REGCORE_COMPLETE" in done.stdout


def test_a_command_that_is_not_there_is_2_and_a_near_one_is_named(commands: Regcore) -> None:
    done = commands("submitt")

    assert done.returncode == 2
    assert "Did you mean 'submit'?" in " ".join(done.stderr.split())


def test_help_groups_every_command_and_fits_80_columns(commands: Regcore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    text = commands("--help").stdout

    panels = [line.split()[1] for line in text.splitlines() if line.startswith("╭")]
    assert panels == ["Options", "Servers", "Train", "Look", "Stop", "Your"]
    assert max(map(len, text.splitlines())) <= 80
    assert "124 a wait timed out" in " ".join(text.split())


def test_the_help_of_each_command_fits_80_columns(commands: Regcore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    names += [f"datasets {command.name}" for command in datasets.app.registered_commands]

    texts = {name: commands(*name.split(), "--help").stdout for name in ["datasets", *names]}

    assert {name: max(map(len, text.splitlines())) <= 80 for name, text in texts.items()} == dict.fromkeys(texts, True)
    assert {name: "--json" in text for name, text in texts.items()} == dict.fromkeys(texts, True)
    assert not any("…" in text for text in texts.values())


FAULTS = """
import sys
from regclient.cli.entry import run

SECRET = "rc_0abc_" + "s" * 43
RAISED = {
    "bug": KeyError("data"),
    "secret": RuntimeError(f"Illegal header value 'Bearer {SECRET}'"),
    "recursion": RecursionError("maximum recursion depth exceeded"),
    "memory": MemoryError(),
    "encoding": UnicodeDecodeError("utf-8", b"x", 0, 1, "invalid start byte"),
    "disk": OSError(28, "No space left on device", "model.safetensors"),
    "interrupt": KeyboardInterrupt(),
}

def raising(error):
    raise error

for name in sys.argv[2:]:
    print(run(lambda: raising(RAISED[name]), as_json=sys.argv[1] == "json"), flush=True)
"""


def codes_and_lines(form: str, *kinds: str) -> tuple[list[int], list[str]]:
    """What a program is left with and says if its command raises each of these."""
    command = [sys.executable, "-c", FAULTS, form, *kinds]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [int(code) for code in done.stdout.split()], done.stderr.splitlines()


def test_whatever_is_raised_is_one_line_with_a_code_that_says_nothing_of_the_job() -> None:
    codes, lines = codes_and_lines("text", "bug", "secret", "recursion", "memory", "encoding")

    assert codes == [70] * 5
    assert len(lines) == 5
    assert all("a fault of regcore itself" in line and "REGCORE_DEBUG=1" in line for line in lines)
    assert "sss" not in "".join(lines)


def test_a_file_that_cannot_be_written_is_74_and_an_interrupt_130() -> None:
    codes, lines = codes_and_lines("text", "disk", "interrupt")

    assert codes == [74, 130]
    assert lines == ["Error: No space left on device: model.safetensors"]


def test_a_program_is_told_of_a_fault_as_json() -> None:
    codes, lines = codes_and_lines("json", "bug", "disk")

    assert codes == [70, 74]
    assert [json.loads(line)["error"]["title"] for line in lines] == ["KeyError", "OSError"]


def test_a_traceback_is_shown_to_who_asks_for_one_and_no_secret_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGCORE_DEBUG", "1")

    lines = codes_and_lines("text", "secret")[1]

    assert lines[0].startswith("Traceback")
    assert "sss" not in "".join(lines)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_usage_error_is_2_and_one_line(regcore: Regcore, form: tuple[str, ...]) -> None:
    done = regcore("jobs", "--limit", "x", *form)

    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    said = json.loads(line)["error"]["detail"] if form else line
    assert "'--limit'" in said
    assert "`regcore jobs --help`" in said
