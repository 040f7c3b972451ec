"""Standard output and error, with real readers: pipes, full disks, closed streams and other encodings."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from regclient.display.terminal import READABLE, Console, given_text, make_console, visible

REGCORE = [sys.executable, "-m", "regclient"]
JOB_ID = "job_" + "0" * 26
SWEEP_ID = "swp_" + "0" * 26
NAME = "λ 🎉 Müller \u202e\x1b[31m"


@pytest.fixture
def _a_job_and_a_sweep(server: Any, job_body: Any, sweep_body: Any) -> None:
    base = {"name": NAME, "model": {"kind": "linear"}, "regularizers": [{"kind": "l1", "strength": 1e-3}]}
    axes = [{"pointer": "/regularizers/0/strength", "values": [1e-4, 1e-3, 1e-2]}]
    spec = {"name": NAME, "base": base, "axes": axes}
    server.jobs[JOB_ID] = job_body(JOB_ID, "succeeded", name=NAME, spec=base)
    server.sweeps[SWEEP_ID] = sweep_body(spec, "succeeded")


def run(
    *arguments: str,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.PIPE,
    **env: str,
) -> "subprocess.CompletedProcess[bytes]":
    command = [*REGCORE, *arguments]
    return subprocess.run(command, stdout=stdout, stderr=stderr, env={**os.environ, **env}, timeout=60, check=False)


@pytest.mark.usefixtures("_a_job_and_a_sweep")
@pytest.mark.parametrize(
    ("command", "encoding"),
    [
        (("jobs",), "ascii"),
        (("show", JOB_ID), "ascii"),
        (("sweep", SWEEP_ID), "ascii"),
        (("sweep", SWEEP_ID), "latin-1"),
        (("watch", JOB_ID), "utf-8"),
        (("--help",), "ascii"),
    ],
)
def test_any_encoding_will_do(command: tuple[str, ...], encoding: str) -> None:
    done = run(*command, PYTHONIOENCODING=encoding)

    assert (done.returncode, done.stderr) == (0, b"")
    assert "\x1b" not in done.stdout.decode(encoding)


@pytest.mark.usefixtures("_a_job_and_a_sweep")
@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_json_says_the_same_in_any_encoding(encoding: str) -> None:
    done = run("jobs", "--json", PYTHONIOENCODING=encoding)

    assert [job["name"] for job in json.loads(done.stdout.decode(encoding))] == [NAME]
    assert b"\x1b" not in done.stdout
    assert "\u202e" not in done.stdout.decode(encoding)


@pytest.mark.parametrize(
    "command",
    [("jobs", "--name", "emo🎉"), ("jobs", "--label", "team:grün"), ("show", "emo🎉"), ("sweeps", "--name", "emo🎉")],
    ids=["name", "label", "show", "sweeps"],
)
def test_what_was_typed_is_asked_for_where_the_locale_is_not_utf_8(server: Any, command: tuple[str, ...]) -> None:
    done = run(*command, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")

    asked = [value for _, query in server.queries for value in query.values()]
    assert done.returncode == (5 if command[0] == "show" else 0)
    assert command[-1] in asked


@pytest.mark.parametrize(
    ("text", "meant"), [("grün".encode().decode("ascii", "surrogateescape"), "grün"), ("é", "é"), ("\udcff", "\udcff")]
)
def test_an_argument_is_read_as_utf_8_if_it_is_that(text: str, meant: str) -> None:
    assert given_text(text) == meant


@pytest.mark.usefixtures("_a_job_and_a_sweep")
def test_a_table_keeps_its_columns_where_names_are_written_in_ascii() -> None:
    header, row = run("jobs", PYTHONIOENCODING="ascii").stdout.decode("ascii").splitlines()

    assert row.index("succeeded") == header.index("state")


@pytest.mark.usefixtures("_a_job_and_a_sweep")
@pytest.mark.parametrize("command", [("jobs",), ("watch", JOB_ID, "--json"), ("--help",)])
def test_a_reader_that_has_left_is_141_and_no_message(command: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = run(*command, stdout=pipe)

    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.usefixtures("_a_job_and_a_sweep")
@pytest.mark.parametrize("command", [("jobs", "--json"), ("watch", JOB_ID)])
def test_an_answer_that_cannot_be_written_is_74_and_one_line(command: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(*command, stdout=full)

    assert done.returncode == 74
    assert done.stderr.decode().count("\n") == 1
    assert b"Cannot write the output: No space left on device." in done.stderr


@pytest.mark.usefixtures("_a_job_and_a_sweep")
@pytest.mark.parametrize(
    ("command", "redirection", "code"),
    [("jobs", ">&-", 0), ("jobs --json", "<&- >&- 2>&-", 0), ("show job_x", "2>&-", 5)],
)
def test_a_closed_stream_changes_nothing(command: str, redirection: str, code: int) -> None:
    shell = f"{sys.executable} -m regclient {command} {redirection}"

    assert subprocess.run(["bash", "-c", shell], timeout=60, check=False).returncode == code


@pytest.mark.usefixtures("_a_job_and_a_sweep")
def test_an_error_that_nobody_can_be_told_keeps_its_code() -> None:
    with Path("/dev/full").open("wb") as full:
        assert run("show", "job_x", stderr=full).returncode == 5


def test_an_encoding_that_lacks_them_gets_look_alikes_of_the_same_width() -> None:
    plot = "┤⠁⡀⡇⠀●○◆│┊╎└─┴"

    assert plot.encode("ascii", READABLE).decode() == "-'.: *o#|::---"
    assert "λ‖w‖ – Ω日".encode("ascii", READABLE).decode() == "lambda|w| - \\u03a9\\u65e5"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", "\\u001b]0;title\\u0007"),
        ("a\rb\x7f\x9b2J", "a\\u000db\\u007f\\u009b2J"),
        ("\u202egnp.exe \u2066", "\\u202egnp.exe \\u2066"),
        ("one\ttwo\nthree é 🎉👩\u200d🔬", "one\ttwo\nthree é 🎉👩\u200d🔬"),
    ],
)
def test_text_cannot_steer_a_terminal(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("color", ["1", None])
def test_a_pipe_is_wide_unless_told_otherwise(color: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if color:
        monkeypatch.setenv("FORCE_COLOR", color)
    wide = make_console().width
    monkeypatch.setenv("COLUMNS", "72")

    assert (wide, make_console().width) == (160, 72)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("file", "env", "live"),
    [
        (_Terminal(), {}, True),
        (_Terminal(), {"TERM": "dumb"}, False),
        (_Terminal(), {"NO_COLOR": "1"}, True),
        (io.StringIO(), {"FORCE_COLOR": "1"}, False),
        (io.StringIO(), {"TTY_COMPATIBLE": "1"}, False),
    ],
    ids=["terminal", "dumb", "no-colour", "forced-colour", "compatible"],
)
def test_only_a_real_terminal_can_be_drawn_on_again(file: IO[str], env: dict[str, str], live: bool) -> None:
    assert Console(file=file, _environ={"TERM": "xterm", **env}).is_live is live
