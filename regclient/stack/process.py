"""A child process of the embedded stack: it ends with its parent, can be restarted, and its output is logged."""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from regclient.errors import RegClientError

FIRST_RESTART_S = 1.0
MAX_RESTART_S = 30.0
STEADY_S = 60.0  # a child that has run for this long has recovered

_PR_SET_PDEATHSIG = 1
MAX_LOG_BYTES = 10_000_000


class StackError(RegClientError):
    """The embedded stack cannot start, or a part of it died."""


class ChildProcess:
    """A named program in its own session, so that a terminal's Ctrl-C reaches only its parent.

    Args:
        name: Its name in messages.
        command: The program and its arguments.
        env: Its whole environment; nothing is inherited.
        log_path: The file to which its output is appended.
        socket_path: The unix socket on which it listens, if it does; a stale one is removed before each start.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        log_path: Path,
        *,
        socket_path: Path | None = None,
    ) -> None:
        self.name = name
        self.log_path = log_path
        self._command = list(command)
        self._env = dict(env)
        self._socket_path = socket_path
        self._delay_s = 0.0
        self._due_at: float | None = None
        self._start()

    def _start(self) -> None:
        self._started_at = time.monotonic()
        if self._socket_path is not None:
            self._socket_path.unlink(missing_ok=True)
        # In append mode, output after `rotate_log` begins at the start of the emptied file.
        with open(self.log_path, "ab", opener=lambda path, flags: os.open(path, flags, mode=0o600)) as log:
            os.fchmod(log.fileno(), 0o600)  # an earlier version left the log readable for others
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self._command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
                preexec_fn=_die_with_parent() if sys.platform == "linux" else None,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def program(self) -> str:
        """The path of the program that it runs."""
        return self._command[0]

    def exit_text(self) -> str | None:
        """Return how it ended; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        if code >= 0:
            return f"exit code {code}"
        # real-time signals have no name
        name = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")
        return f"killed by {name}"

    def revive(self) -> str | None:
        """Restart it if it has ended and the delay has passed. This never waits: call it repeatedly.

        Returns:
            A sentence if it died or was restarted since the last call; else None.
        """
        if self._due_at is None:
            end = self.exit_text()
            return None if end is None else self._put_off(f"died ({end})")
        if time.monotonic() < self._due_at:
            return None
        try:
            self._start()
        except OSError as error:  # no memory, process or file is available now; try again later
            return self._put_off(f"could not be started ({error})")
        self._due_at = None
        return f"started again  (pid {self.pid})"

    def rotate_log(self) -> None:
        """Move the log's content to `NAME.old.log`, replacing that file, once the log exceeds MAX_LOG_BYTES.

        The child and its own children share one open file, so the log is copied and then emptied in place. Output
        between these two steps is lost. If there is no room for the copy, the old lines are lost.
        """
        if not self.log_path.exists() or self.log_path.stat().st_size <= MAX_LOG_BYTES:
            return
        old_path = self.log_path.with_suffix(".old.log")
        with self.log_path.open("r+b") as log, contextlib.suppress(OSError):
            old_path.unlink(missing_ok=True)  # makes room for the new copy
            with open(old_path, "wb", opener=lambda path, flags: os.open(path, flags, mode=0o600)) as old:
                shutil.copyfileobj(log, old)
        os.truncate(self.log_path, 0)
        self._log_start = 0

    def _put_off(self, why: str) -> str:
        now = time.monotonic()
        self._delay_s = restart_delay_s(self._delay_s, lived_s=now - self._started_at)
        self._due_at = now + self._delay_s
        return f"{why}; started again in {self._delay_s:g} s. Its log: {self.log_path}"

    def log_tail(self, num_lines: int = 15) -> str:
        """Return the last lines that this process wrote."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode("utf-8", errors="replace").splitlines()
        return "\n".join(lines[-num_lines:])

    def terminate(self) -> None:
        """Send SIGTERM, unless it has ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def join(self, grace_s: float) -> None:
        """Wait until it ends; after the grace, kill it and all other processes of its session."""
        try:
            self._process.wait(timeout=grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def kill(self) -> None:
        """Send SIGKILL to it and all its session, without waiting, so that a signal handler may call this."""
        if self._process.poll() is None:
            # it was collected just now, by the code that the signal interrupted
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def restart_delay_s(previous_s: float, lived_s: float) -> float:
    """Return the delay before a child that died is restarted: it doubles each time, within limits.

    min(2 · previous, MAX_RESTART_S), beginning with FIRST_RESTART_S.

    Args:
        previous_s: The delay before its last start; 0 if there was none.
        lived_s: How long it has run since; from STEADY_S on, the delays begin anew.
    """
    if previous_s == 0 or lived_s >= STEADY_S:
        return FIRST_RESTART_S
    return min(2 * previous_s, MAX_RESTART_S)


def wait_until(ready: Callable[[], bool], timeout_s: float, interval_s: float = 0.05) -> bool:
    """Call `ready` repeatedly until it returns True, or until the timeout (False)."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval_s)
    return True


def _die_with_parent() -> Callable[[], None]:
    """Have the kernel end the child if this process is killed and cannot do so itself."""
    libc = ctypes.CDLL(None)  # loaded before the fork, because few calls are safe in the child between fork and exec
    parent = os.getpid()

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before prctl
            os._exit(1)

    return in_child
