"""A runner as its supervisor sees it: a child in its own session, with a pipe each way."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

import psutil

from worker.protocol import Command, Event, Ready, decode, encode

TICK_S = 0.1
"""How long a supervisor waits for an event before it looks after the rest."""
WARM_UP_TIMEOUT_S = 120.0
"""Importing torch on a loaded machine takes up to half a minute; a runner that needs more is stuck."""
_READ_BYTES = 1 << 16


class RunnerProcess:
    """One `python -m worker.runner`.

    Args:
        environment: The child's, whole.
        program: What to start; two file descriptors are added, to read commands from and to write events to.
    """

    def __init__(
        self, environment: Mapping[str, str], program: Sequence[str] = (sys.executable, "-m", "worker.runner")
    ) -> None:
        commands_read, self._commands = os.pipe()
        self._events, events_write = os.pipe()
        os.set_blocking(self._events, False)
        try:
            self._child = subprocess.Popen(
                [*program, str(commands_read), str(events_write)],
                stdin=subprocess.DEVNULL,
                env=dict(environment),
                pass_fds=(commands_read, events_write),
                # Ctrl-C at the terminal, or a signal to the worker's group, must not reach it: the supervisor
                # decides.
                start_new_session=True,
            )
        except OSError:
            os.close(self._commands)
            os.close(self._events)
            raise
        finally:
            os.close(commands_read)
            os.close(events_write)
        self._unread = b""
        self._closed = False
        self.num_runs = 0
        self.tenant: str | None = None
        self.versions: dict[str, str] | None = None

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """None while it lives; minus the signal's number if one ended it."""
        return self._child.poll()

    def send(self, command: Command) -> None:
        """Write a command; silently nothing to a runner that is gone, since `returncode` says so."""
        try:
            os.write(self._commands, encode(command))
        except BrokenPipeError:
            self._closed = True

    def receive(self, timeout_s: float) -> list[Event]:
        """The events that have come, waiting up to `timeout_s` for the first."""
        if self._closed:
            time.sleep(timeout_s if self.returncode is None else 0)
            return []
        readable, _, _ = select.select([self._events], [], [], timeout_s)
        if not readable:
            # A dead runner's child may still hold the pipe open; nothing of ours comes from it.
            self._closed = self.returncode is not None
            return []
        chunk = os.read(self._events, _READ_BYTES)
        self._closed = not chunk
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        events = [decode(line) for line in lines]
        for event in events:
            if isinstance(event, Ready):
                self.versions = event.versions
        return [event for event in events if not isinstance(event, Ready | Command)]

    def drained(self) -> bool:
        """Whether it is dead and everything that it said has been read."""
        return self._closed and self.returncode is not None

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until it has imported everything; false if it died or took longer."""
        deadline = time.monotonic() + timeout_s
        while self.versions is None and not self.drained() and time.monotonic() < deadline:
            self.receive(0.1)
        return self.versions is not None

    def resident_bytes(self) -> int:
        """Resident memory now, with its children's; 0 once it is gone."""
        try:
            process = psutil.Process(self.pid)
            members = [process, *process.children(recursive=True)]
            return sum(member.memory_info().rss for member in members)
        except psutil.NoSuchProcess:
            return 0

    def kill(self) -> None:
        """End it and whatever it started, at once, and wait for it."""
        with contextlib.suppress(ProcessLookupError):  # Gone already, with its whole group.
            os.killpg(self.pid, signal.SIGKILL)
        self._child.wait()

    def close(self) -> None:
        """Kill it and close the pipes. The pid must not be used afterwards."""
        self.kill()
        for descriptor in (self._commands, self._events):
            os.close(descriptor)
