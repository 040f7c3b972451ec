"""A runner as its supervisor sees it: a child in its own session, with a pipe each way; and what it is forked from."""

import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

import psutil

from worker.protocol import Born, Command, Event, Ready, decode, encode

TICK_S = 0.1
"""How long a supervisor waits for an event before it looks after the rest."""
WARM_UP_TIMEOUT_S = 120.0
"""Importing torch on a loaded machine takes up to half a minute; a runner that needs more is stuck."""
EXIT_UNBORN = os.EX_OSERR
"""Of a runner that never was: the template died, or there was no process to be had."""
_READ_BYTES = 1 << 16
_PR_SET_CHILD_SUBREAPER = 36


class RunnerTemplate:
    """One `python -m worker.template`, started when the first runner is asked for, and again if it has died.

    This process adopts the orphans among its descendants from now on: the runners, so that it learns how they end.

    Args:
        environment: The template's and its runners', whole.
        program: What to start; a file descriptor is added, to read requests from.
    """

    def __init__(
        self, environment: Mapping[str, str], program: Sequence[str] = (sys.executable, "-m", "worker.template")
    ) -> None:
        self._environment = dict(environment)
        self._program = list(program)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        adopt_orphans(True)

    def start_runner(self) -> "RunnerProcess":
        """Ask for a runner. It waits for none: while the template still imports torch, the runner is yet to be."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            assert self._process is not None
            assert self._requests is not None
            commands_read, commands = os.pipe()
            events, events_write = os.pipe()
            try:
                # One that has died just now leaves the pipe closed, which is how a dead runner is seen.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    socket.send_fds(self._requests, [b"\0"], [commands_read, events_write])
            finally:
                os.close(commands_read)
                os.close(events_write)
            return RunnerProcess(self._process, commands, events)

    def close(self) -> None:
        """End it. Its runners live on."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.wait()
            if self._requests is not None:
                self._requests.close()

    def _start(self) -> None:
        if self._requests is not None:
            self._requests.close()
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [*self._program, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                env=self._environment,
                pass_fds=(theirs.fileno(),),
                # Ctrl-C at the terminal, or a signal to the worker's group, must not reach it: the supervisor
                # decides.
                start_new_session=True,
            )


class RunnerProcess:
    """One runner, from the moment that it is asked for.

    Args:
        template: What forks it.
        commands: The pipe to write commands to.
        events: The pipe to read events from.
    """

    def __init__(self, template: subprocess.Popen[bytes], commands: int, events: int) -> None:
        self._template = template
        self._commands = commands
        self._events = events
        os.set_blocking(events, False)
        self._lock = threading.Lock()
        self._pid: int | None = None
        self._returncode: int | None = None
        self._unread = b""
        self._arrived: list[Event] = []
        self._closed = False
        self.num_runs = 0
        self.tenant: str | None = None
        self.versions: dict[str, str] | None = None

    @property
    def pid(self) -> int | None:
        """None until it has said that it was born."""
        return self._pid

    @property
    def returncode(self) -> int | None:
        """None while it lives or is yet to be; minus the signal's number if one ended it."""
        if not self._was_born():
            return EXIT_UNBORN if self._closed else None
        return self._collect()

    def send(self, command: Command) -> None:
        """Write a command; silently nothing to a runner that is gone, since `returncode` says so."""
        try:
            os.write(self._commands, encode(command))
        except BrokenPipeError:
            self._closed = True

    def receive(self, timeout_s: float) -> list[Event]:
        """The events that have come, waiting up to `timeout_s` for the first."""
        if not self._arrived:
            self._read(timeout_s)
        events, self._arrived = self._arrived, []
        return events

    def drained(self) -> bool:
        """Whether it is dead and everything that it said has been read."""
        return self._closed and not self._arrived and self.returncode is not None

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until it has imported everything; false if it died or took longer."""
        deadline = time.monotonic() + timeout_s
        while self.versions is None and not self.drained() and time.monotonic() < deadline:
            self.receive(0.1)
        return self.versions is not None

    def resident_bytes(self) -> int:
        """Resident memory now, with its children's; 0 before it is born, and once it is gone."""
        if self._pid is None:
            return 0
        try:
            process = psutil.Process(self._pid)
            members = [process, *process.children(recursive=True)]
            return sum(member.memory_info().rss for member in members)
        except psutil.NoSuchProcess:
            return 0

    def kill(self) -> None:
        """End it and whatever it started, at once, and wait for it."""
        if not self._was_born():
            # Nor is it to be born later. The next runner that is asked for gets another template.
            self._template.kill()
            while self._pid is None and not self._closed:
                self._read(TICK_S)
        if self._pid is not None:
            self._end_session(self._pid)

    def close(self) -> None:
        """Kill it and close the pipes. The pid must not be used afterwards."""
        self.kill()
        for descriptor in (self._commands, self._events):
            os.close(descriptor)

    def _was_born(self) -> bool:
        if self._pid is None:
            self._read(0)
        return self._pid is not None

    def _read(self, timeout_s: float) -> None:
        if self._closed:
            time.sleep(timeout_s if self._pid is not None and self._collect() is None else 0)
            return
        readable, _, _ = select.select([self._events], [], [], timeout_s)
        if not readable:
            # A dead runner's child may still hold the pipe open; nothing of ours comes from it.
            self._closed = self._pid is not None and self._collect() is not None
            return
        chunk = os.read(self._events, _READ_BYTES)
        self._closed = not chunk
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        for event in map(decode, lines):
            match event:
                case Born(pid):
                    self._pid = pid
                case Ready(versions):
                    self.versions = versions
                case _ if not isinstance(event, Command):
                    self._arrived.append(event)

    def _collect(self) -> int | None:
        """How it ended, if it has."""
        assert self._pid is not None
        with self._lock:
            if self._returncode is None:
                pid, status = os.waitpid(self._pid, os.WNOHANG)
                self._returncode = os.waitstatus_to_exitcode(status) if pid else None
            return self._returncode

    def _end_session(self, session: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # Gone already, with its whole group.
            os.killpg(session, signal.SIGKILL)
        with self._lock, contextlib.suppress(ChildProcessError):
            while True:  # What it started is an orphan now, and ours to collect too.
                pid, status = os.waitpid(-session, 0)
                if pid == session:
                    self._returncode = os.waitstatus_to_exitcode(status)


def adopt_orphans(whether: bool) -> None:
    """Make this process the parent of every process below it that has lost its own, or no longer."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, int(whether), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
