"""The commands that run servers, each as the process that it becomes."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from regclient.stack.process import wait_until
from regclient.stack.up import free_port

Regcore = Callable[..., subprocess.CompletedProcess[str]]
Spawn = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Starts the command line and leaves it running; it is dead after the test."""
    processes = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "log").open("ab") as log:
            command = [sys.executable, "-m", "regclient", *arguments]
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        return processes[-1]

    yield start
    for process in processes:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def has_title(process: subprocess.Popen[bytes], title: str) -> bool:
    return psutil.Process(process.pid).cmdline()[:1] == [title]


def has_runner(worker: subprocess.Popen[bytes]) -> bool:
    return any(child.cmdline()[:1] == ["regcore-runner"] for child in psutil.Process(worker.pid).children())


def answers(url: str) -> bool:
    try:
        return httpx2.get(url).is_success
    except httpx2.TransportError:
        return False


def test_api_becomes_the_server(spawn: Spawn, tmp_path: Path) -> None:
    port = free_port()

    api = spawn("api", "--port", str(port), "--data-dir", str(tmp_path / "regcore"))

    assert wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthz"), 60), (tmp_path / "log").read_text()
    assert has_title(api, "regcore-api")
    assert (tmp_path / "regcore" / "api-key").stat().st_mode & 0o077 == 0


def test_worker_becomes_the_worker(
    spawn: Spawn, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGCORE_REDIS_URL", redis_url)

    worker = spawn("worker", "--slots", "1", "--data-dir", str(tmp_path / "regcore"))

    assert wait_until(lambda: has_title(worker, "regcore-worker"), 60), (tmp_path / "log").read_text()
    assert wait_until(lambda: has_runner(worker), 60), (tmp_path / "log").read_text()


def test_migrate_makes_the_database_and_may_be_repeated(regcore: Regcore, tmp_path: Path) -> None:
    first = regcore("migrate", "--data-dir", str(tmp_path), "--json")
    second = regcore("migrate", "--data-dir", str(tmp_path))

    assert json.loads(first.stdout)["migrated"] is True
    assert second.returncode == 0
    assert "up to date" in second.stdout
    assert list(tmp_path.glob("*.sqlite*")) or list(tmp_path.glob("*.db"))


def test_migrate_of_a_database_that_is_away_is_1(
    regcore: Regcore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGCORE_DATABASE_URL", f"postgresql://nobody@127.0.0.1:{free_port()}/none")

    done = regcore("migrate", "--data-dir", str(tmp_path), "--json")

    assert done.returncode == 1
    assert json.loads(done.stdout)["migrated"] is False


def test_doctor_finds_the_running_server_healthy(regcore: Regcore, stack: Any) -> None:
    done = regcore("doctor", "--json")

    checked = json.loads(done.stdout)
    assert done.returncode == 0
    assert checked["healthy"] is True
    messages = {check["name"]: check["message"] for check in checked["checks"]}
    assert messages["workers"] == "1 ready"
    assert messages["torch"].startswith(f"torch {version('torch')}")


def test_doctor_is_1_where_something_must_be_mended(
    regcore: Regcore, stack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGCORE_API_KEY", "rc_wrong")

    done = regcore("doctor")

    assert done.returncode == 1
    assert "problem" in done.stdout


def test_a_port_that_cannot_be_is_a_usage_error(regcore: Regcore) -> None:
    assert regcore("up", "--port", "70000").returncode == 2


@pytest.mark.parametrize("arguments", [("up", "--slots", "0"), ("worker", "--slots", "0"), ("migrate",), ("doctor",)])
def test_a_wrong_setting_is_one_line_with_a_code_of_its_own(
    arguments: tuple[str, ...], regcore: Regcore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "--slots" not in arguments:
        monkeypatch.setenv("REGCORE_SLOTS", "0")

    done = regcore(*arguments, "--data-dir", str(tmp_path / "regcore"))

    said = "REGCORE_SLOTS or --slots: expected auto or a whole number from 1 to 256; received '0'."
    assert said in " ".join((done.stdout + done.stderr).split())
    assert done.returncode == (1 if arguments == ("doctor",) else 2)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "regcore").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--data-dir", ""], "--data-dir': expected a folder; received nothing."),
        (["--port", "70000"], "REGCORE_PORT or --port: expected a whole number from 0 to 65,535; received '70000'."),
        (["--port", "x"], "REGCORE_PORT or --port: expected a whole number from 0 to 65,535; received 'x'."),
    ],
    ids=["no folder", "port too high", "port in words"],
)
def test_an_option_that_cannot_be_used_is_told_as_its_variable_would_be(
    options: list[str], said: str, regcore: Regcore
) -> None:
    done = regcore("up", *options)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())


def test_a_redis_that_does_not_answer_is_a_problem_for_doctor(
    regcore: Regcore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGCORE_REDIS_URL", "redis://:sesame@127.0.0.1:1/0")

    done = regcore("doctor", "--json")

    (found,) = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "redis"]
    assert found["status"] == "problem"
    assert "REGCORE_REDIS_URL: no Redis answers there" in found["message"]
    assert "sesame" not in done.stdout + done.stderr
