"""A signal while the command line waits: a real process, with and without a terminal."""

import json
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from terminals import CTRL_C, REGCORE, TerminalCommand

from regclient.stack.process import wait_until

JOB_ID = "job_" + "0" * 26
SPEC = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}
SWEEP = {"base": SPEC, "axes": []}


def started(*arguments: str, spec: Any = None, is_hangup_ignored: bool = False) -> "subprocess.Popen[str]":
    """The command line between pipes; the one to stdin holds its spec already."""
    # Set either way: the tests themselves may run under nohup.
    handler = signal.SIG_IGN if is_hangup_ignored else signal.SIG_DFL
    process = subprocess.Popen(
        [*REGCORE, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, handler),
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(spec))
    process.stdin.close()
    process.stdin = None  # `communicate` would write to it
    return process


@pytest.fixture
def _a_job(server: Any, job_body: Any) -> None:
    server.jobs[JOB_ID] = job_body(JOB_ID)
    server.events = server.events[:1]


@pytest.mark.usefixtures("_a_job")
@pytest.mark.parametrize(
    ("command", "spec", "number", "code", "again"),
    [
        (("submit", "-", "--follow"), SPEC, signal.SIGINT, 130, "regcore watch job_"),
        (("rerun", JOB_ID, "--follow"), None, signal.SIGTERM, 143, "regcore watch job_"),
        (("watch", JOB_ID, "--timeout", "60"), None, signal.SIGHUP, 129, f"regcore watch {JOB_ID}"),
        (("sweep", "-", "--follow"), SWEEP, signal.SIGINT, 130, "regcore sweep swp_"),
    ],
    ids=["submit", "rerun", "watch", "sweep"],
)
def test_a_signal_ends_the_waiting_and_says_how_to_find_what_goes_on(
    command: tuple[str, ...], spec: Any, number: signal.Signals, code: int, again: str
) -> None:
    process = started(*command, spec=spec)
    assert process.stderr is not None
    first = process.stderr.readline()  # where it is: the wait has begun

    process.send_signal(number)
    _, errors = process.communicate(timeout=60)

    assert any(state in first for state in ("running", "queued"))
    assert process.returncode == code
    assert "goes on" in errors
    assert again in errors
    assert "`regcore cancel " in errors


@pytest.mark.usefixtures("_a_job")
def test_a_program_is_told_as_json_with_the_id() -> None:
    process = started("watch", JOB_ID, "--json")
    assert process.stdout is not None
    process.stdout.readline()

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 130
    assert json.loads(errors)["error"]["id"] == JOB_ID


@pytest.mark.usefixtures("_a_job")
def test_ctrl_c_on_a_terminal_says_it_under_the_bar() -> None:
    command = TerminalCommand([*REGCORE, "watch", JOB_ID])
    command.read_until("50 %")

    command.press(CTRL_C)

    assert command.end() == 130
    assert f"{JOB_ID} goes on (running). `regcore watch {JOB_ID}` follows it again" in command.written
    assert "Traceback" not in command.written


@pytest.mark.usefixtures("_a_job")
def test_a_signal_that_was_ignored_stays_so() -> None:
    process = started("watch", JOB_ID, "--timeout", "3", is_hangup_ignored=True)
    assert process.stderr is not None
    process.stderr.readline()

    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)

    assert process.returncode == 124


@pytest.mark.parametrize(
    ("command", "kind", "spec"), [("submit", "job", SPEC), ("sweep", "sweep", SWEEP)], ids=["submit", "sweep"]
)
def test_a_signal_before_the_answer_says_that_it_may_have_been_made(
    command: str, kind: str, spec: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        monkeypatch.setenv("REGCORE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("REGCORE_API_KEY", "rc_test_secret")
        process = started(command, "-", spec=spec)
        connection, _ = silent.accept()
        with connection:
            connection.recv(1)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)

    assert process.returncode == 130
    assert f"before the server answered: it may have made the {kind}, or not" in errors
    assert f"`regcore {kind}s`" in errors


@pytest.mark.parametrize(
    ("number", "is_sent"),
    [(signal.SIGINT, False), (signal.SIGTERM, True)],
    ids=["while it is sent", "while the server reads it"],
)
def test_a_signal_during_an_upload_leaves_no_part_of_it(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, is_sent: bool
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    with (tmp_path / "rows.csv").open("wb") as file:
        file.truncate(1_000 if is_sent else 16_000_000)
    server.datasets.num_looks, server.datasets.is_stalled = 1_000_000, not is_sent
    process = started("datasets", "add", str(tmp_path / "rows.csv"))
    assert wait_until(lambda: server.datasets.received if is_sent else server.datasets.num_begun, 60)

    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    server.datasets.is_stalled = False

    assert process.returncode == 128 + number
    assert "leaves nothing on the server" in errors
    assert len(server.datasets.bodies) == is_sent
    assert list(folder.iterdir()) == []
