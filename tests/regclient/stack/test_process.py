import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from regclient.stack.process import ChildProcess, restart_delay_s, wait_until

ECHO = """
import sys, time
from pathlib import Path
orders = Path(sys.argv[1])
orders.touch()
with orders.open() as file:
    while True:
        sys.stdout.write(file.read())
        sys.stdout.flush()
        time.sleep(0.01)
"""
"""Prints what is added to a file."""


def spawn(code: str, log_path: Path) -> ChildProcess:
    return ChildProcess("child", [sys.executable, "-u", "-c", code], os.environ, log_path)


def test_the_end_and_the_last_words_are_kept(tmp_path: Path) -> None:
    child = spawn("print('a'); print('oh no'); raise SystemExit(3)", tmp_path / "log")

    assert wait_until(lambda: child.exit_text() is not None, 20)

    assert child.exit_text() == "exit code 3"
    assert child.log_tail(1) == "oh no"


@pytest.mark.parametrize(("number", "text"), [(signal.SIGSEGV, "SIGSEGV"), (40, "signal 40")])
def test_the_signal_that_ended_it_is_named_even_if_it_has_no_name(tmp_path: Path, number: int, text: str) -> None:
    child = ChildProcess("child", ["sleep", "60"], os.environ, tmp_path / "log")

    os.kill(child.pid, number)

    assert wait_until(lambda: child.exit_text() == f"killed by {text}", 20)


def test_a_child_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(60)"
    child = spawn(code, tmp_path / "log")
    assert wait_until(lambda: child.log_tail() == "up", 20)

    child.terminate()
    child.join(0.2)

    assert child.exit_text() == "killed by SIGKILL"


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from regclient.stack.process import ChildProcess\n"
        f"child = ChildProcess('c', ['sleep', '60'], os.environ, Path({str(tmp_path / 'log')!r}))\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    grandchild = int(parent.stdout.readline())

    parent.kill()
    parent.wait()
    parent.stdout.close()

    assert wait_until(lambda: not _alive(grandchild), 10)


def test_the_waits_before_restarts_double_up_to_half_a_minute_and_begin_anew_after_a_steady_minute() -> None:
    lives_s = [0.0, 5.0, 0.0, 59.9, 0.0, 0.0, 1.0, 60.0, 0.0]

    waits_s = [0.0]
    for lived_s in lives_s:
        waits_s.append(restart_delay_s(waits_s[-1], lived_s))

    assert waits_s[1:] == [1, 2, 4, 8, 16, 30, 30, 1, 2]


def test_a_child_that_died_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regclient.stack.process.FIRST_RESTART_S", 0.0)
    child = spawn("import time; print('up', flush=True); time.sleep(60)", tmp_path / "log")
    first = child.pid
    assert child.revive() is None

    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: child.exit_text() is not None, 20)
    lines = [child.revive(), child.revive(), child.revive()]

    assert child.pid != first
    assert lines == [
        f"died (killed by SIGKILL); started again in 0 s. Its log: {tmp_path / 'log'}",
        f"started again  (pid {child.pid})",
        None,
    ]
    assert wait_until(lambda: child.log_tail() == "up", 20)  # what the first one wrote is not its word
    child.kill()
    child.join(20)


def test_a_child_is_not_started_again_before_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regclient.stack.process.FIRST_RESTART_S", 3600.0)
    child = spawn("pass", tmp_path / "log")

    assert wait_until(lambda: child.exit_text() is not None, 20)

    assert str(child.revive()).startswith("died (exit code 0); started again in 3600 s.")
    assert child.revive() is None
    assert child.exit_text() == "exit code 0"


def test_a_child_that_cannot_be_started_again_is_tried_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regclient.stack.process.FIRST_RESTART_S", 0.0)
    program = tmp_path / "program"
    program.symlink_to("/bin/true")
    child = ChildProcess("child", [str(program)], os.environ, tmp_path / "log")
    assert wait_until(lambda: child.exit_text() is not None, 20)
    child.revive()

    program.unlink()
    failed = str(child.revive())
    program.symlink_to("/bin/true")

    assert re.match(r"could not be started \(.*No such file.*\); started again in 0 s\.", failed)
    assert str(child.revive()).startswith("started again")
    child.join(20)


def test_a_log_is_cut_while_the_child_writes_and_nothing_waits_for_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regclient.stack.process.MAX_LOG_BYTES", 10_000)
    child = ChildProcess(
        "child", [sys.executable, "-c", ECHO, str(tmp_path / "orders")], os.environ, tmp_path / "x.log"
    )

    def write(text: str) -> None:
        with (tmp_path / "orders").open("a") as orders:
            orders.write(text)
        assert wait_until(lambda: child.log_tail(1) == text.splitlines()[-1], 20)

    for number in range(3):
        write(f"line {number}\n" + "x" * 12_000 + f"\nend {number}\n")
        child.rotate_log()
        child.rotate_log()
    write("last words\n")

    sizes = {path.name: path.stat().st_size for path in tmp_path.glob("x*")}
    assert sizes == {"x.log": len("last words\n"), "x.old.log": len("line 2\n\nend 2\n") + 12_000}
    assert child.log_tail() == "last words"
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("x*")} == {0o600}
    child.kill()
    child.join(20)


def test_where_there_is_no_room_for_the_copy_the_log_is_cut_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regclient.stack.process.MAX_LOG_BYTES", 10)
    child = spawn("print('x' * 100)", tmp_path / "x.log")
    child.join(20)

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", no_room)
    child.rotate_log()

    assert (tmp_path / "x.log").stat().st_size == 0


def test_what_a_child_writes_is_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "log").touch(mode=0o644)
    before = os.umask(0)
    try:
        child = spawn(f"open({str(tmp_path / 'made')!r}, 'w')", tmp_path / "log")
        child.join(20)
    finally:
        os.umask(before)

    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_stale_socket_is_removed_before_the_start(tmp_path: Path) -> None:
    stale = tmp_path / "socket"
    stale.touch()

    child = ChildProcess("child", ["/bin/true"], os.environ, tmp_path / "log", socket_path=stale)

    assert not stale.exists()
    child.join(20)


def test_a_kill_from_a_signal_handler_may_come_while_the_end_is_being_collected(tmp_path: Path) -> None:
    child = spawn("pass", tmp_path / "log")

    with child._process._waitpid_lock:  # as Popen.poll holds it, between waitpid and noting the exit code
        os.waitpid(child.pid, 0)
        child.kill()

    child.join(20)


def test_wait_until_gives_up() -> None:
    started = time.monotonic()

    assert not wait_until(lambda: False, 0.1)
    assert time.monotonic() - started >= 0.1


def _alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
