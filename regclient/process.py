"""One child process of the embedded stack: it dies with us, is started again if it dies, and its words are kept."""

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
STEADY_S = 60.0  # a child that has lived for this long has recovered

_PR_SET_PDEATHSIG = 1
MAX_LOG_BYTES = 10_000_000


class StackError(RegClientError):
    """The embedded stack cannot start, or a part of it died."""


class ChildProcess:
    """A named program in its own session, so that a terminal's Ctrl-C reaches only its parent.

    Args:
        name: How messages call it.
        command: The program and its arguments.
        env: Its whole environment.
        log_path: Where its output goes, appended.
        socket_path: Where it listens, if that is a file; a stale one is removed before each start.
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
        # Appending: what is written after `rotate_log` begins at the start of the emptied file.
        with open(self.log_path, "ab", opener=lambda path, flags: os.open(path, flags, mode=0o600)) as log:
            os.fchmod(log.fileno(), 0o600)  # an earlier version left it open to others
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
        """The file that it runs."""
        return self._command[0]

    def exit_text(self) -> str | None:
        """None while it runs, else how it ended."""
        code = self._process.poll()
        if code is None:
            return None
        if code >= 0:
            return f"exit code {code}"
        name = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")  # real-time ones
        return f"killed by {name}"

    def revive(self) -> str | None:
        """Start it again if it is over and `restart_delay_s` has passed. It never waits: call it again and again.

        Returns:
            What has just happened: that it died, or that it runs again. None if nothing has.
        """
        if self._due_at is None:
            end = self.exit_text()
            return None if end is None else self._put_off(f"died ({end})")
        if time.monotonic() < self._due_at:
            return None
        try:
            self._start()
        except OSError as error:  # no memory, no process or no file to be had now; perhaps later
            return self._put_off(f"could not be started ({error})")
        self._due_at = None
        return f"started again  (pid {self.pid})"

    def rotate_log(self) -> None:
        """Move what the log holds to `NAME.old.log` once it is larger than MAX_LOG_BYTES; that file is overwritten.

        The child, its own children and whatever native code they run share one open file, so it is copied and emptied
        in place. What they write in the instant between is lost. Where there is no room for the copy, the old lines go.
        """
        if not self.log_path.exists() or self.log_path.stat().st_size <= MAX_LOG_BYTES:
            return
        old_path = self.log_path.with_suffix(".old.log")
        with self.log_path.open("r+b") as log, contextlib.suppress(OSError):
            old_path.unlink(missing_ok=True)  # frees its room first
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
            with contextlib.suppress(ProcessLookupError):  # collected just now, by what the signal interrupted
                os.killpg(self._process.pid, signal.SIGKILL)


def restart_delay_s(previous_s: float, lived_s: float) -> float:
    """How long to wait before a child that died is started again: twice as long each time, within limits.

    min(2 · previous, MAX_RESTART_S), beginning with FIRST_RESTART_S

    Args:
        previous_s: The wait before its last start; 0 if there was none.
        lived_s: How long it has lived since; from STEADY_S on the waits begin anew.
    """
    if previous_s == 0 or lived_s >= STEADY_S:
        return FIRST_RESTART_S
    return min(2 * previous_s, MAX_RESTART_S)


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
