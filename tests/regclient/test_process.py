import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from regclient.process import ChildProcess, wait_until


def spawn(code: str, log_path: Path) -> ChildProcess:
    return ChildProcess("child", [sys.executable, "-u", "-c", code], os.environ, log_path)


def test_the_end_and_the_last_words_are_kept(tmp_path: Path) -> None:
    child = spawn("print('a'); print('oh no'); raise SystemExit(3)", tmp_path / "log")

    assert wait_until(lambda: child.exit_text() is not None, 20)

    assert child.exit_text() == "exit code 3"
    assert child.log_tail(1) == "oh no"


def test_a_child_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(60)"
    child = spawn(code, tmp_path / "log")
    assert wait_until(lambda: child.log_tail() == "up", 20)

    child.terminate()
    child.join(0.2)

    assert child.exit_text() == "killed by SIGKILL"


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from regclient.process import ChildProcess\n"
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


def test_wait_until_gives_up() -> None:
    started = time.monotonic()

    assert not wait_until(lambda: False, 0.1)
    assert time.monotonic() - started >= 0.1


def _alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
