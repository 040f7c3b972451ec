"""One child process of the embedded stack: it dies with us, is ended politely, and its words are kept."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_MAX_LOG_BYTES = 10_000_000


class ChildProcess:
    """A named program in its own session, so that a terminal's Ctrl-C reaches only its parent.

    Args:
        name: How messages call it.
        command: The program and its arguments.
        env: Its whole environment.
        log_path: Where its output goes, appended.
    """

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], log_path: Path) -> None:
        self.name = name
        self.log_path = log_path
        if log_path.exists() and log_path.stat().st_size > _MAX_LOG_BYTES:
            log_path.replace(log_path.with_suffix(".old.log"))
        with log_path.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                list(command),
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent() if sys.platform == "linux" else None,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_text(self) -> str | None:
        """None while it runs, else how it ended."""
        code = self._process.poll()
        if code is None:
            return None
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def log_tail(self, num_lines: int = 15) -> str:
        """The last lines that this process wrote."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode("utf-8", errors="replace").splitlines()
        return "\n".join(lines[-num_lines:])

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def join(self, grace_s: float) -> None:
        """Wait for the end that was asked for; after the grace, kill it and what is left in its session."""
        try:
            self._process.wait(timeout=grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def kill(self) -> None:
        """Have it end now, with everything in its session; it waits for nothing, so that a signal handler may ask."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)


def wait_until(ready: Callable[[], bool], timeout_s: float, interval_s: float = 0.05) -> bool:
    """Ask again and again until it is so (True) or time is up (False)."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval_s)
    return True


def _die_with_parent() -> Callable[[], None]:
    """Have the kernel end the child if we are killed without a chance to do it ourselves."""
    libc = ctypes.CDLL(None)  # loaded before the fork: the child may only make calls that are safe after one
    parent = os.getpid()

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before prctl
            os._exit(1)

    return in_child
