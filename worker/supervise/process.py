"""A runner as its supervisor sees it: a child in its own session, with a pipe each way."""

import contextlib
import os
import select
import signal
import threading
import time
from dataclasses import replace

import psutil

from worker.protocol import Born, Command, Event, Measure, Ready, Renew, Run, decode, encode
from worker.supervise.forking import RunnerTemplate

TICK_S = 0.1
"""How long a supervisor waits for an event before it does its other work."""
WARM_UP_TIMEOUT_S = 120.0
"""From the request for a runner to its first answer. The template may have to import torch first, which takes up to
half a minute on a loaded machine; a runner that takes longer is stuck."""
EXIT_UNBORN = os.EX_OSERR
"""The exit status of a runner that was never born: it was given up, or too many templates died."""
_MAX_REQUESTS = 3
"""If this many templates die before they fork, the node is to blame: the run is lost, and another worker may try."""
_READ_BYTES = 1 << 16


class RunnerProcess:
    """One runner, from the moment that it is requested, even while the template still imports torch.

    Nothing is written to it before it reports its birth: until then another template can still fork it instead.

    Args:
        template: What forks it.
    """

    def __init__(self, template: RunnerTemplate) -> None:
        self._template = template
        self._lock = threading.Lock()
        self._pid: int | None = None
        self._returncode: int | None = None
        self._waiting: list[Command] = []
        self._unsent = bytearray()
        self._unread = b""
        self._arrived: list[Event] = []
        self._closed = False
        self._num_requests = 0
        self._is_given_up = False
        self.num_runs = 0
        self.tenant: str | None = None
        self.versions: dict[str, str] | None = None
        self._ask()

    @property
    def pid(self) -> int | None:
        """None until it has reported its birth."""
        return self._pid

    @property
    def returncode(self) -> int | None:
        """None while it lives or is not born yet; minus the signal's number if one ended it."""
        if not self._was_born():
            return EXIT_UNBORN if self._closed else None
        return self._collect()

    def send(self, command: Command) -> None:
        """Queue a command and return; it is written as soon as the runner reads, now or by a later `receive`.

        Does nothing if the runner is dead; `returncode` says so.
        """
        if self._pid is not None:
            self._unsent += encode(command)
            self._write()
        elif isinstance(command, Renew):  # for a lease that it has not heard of yet
            self._waiting = [_renewed(waiting, command) for waiting in self._waiting]
        else:
            self._waiting.append(command)

    def receive(self, timeout_s: float) -> list[Event]:
        """The events that have come, waiting up to `timeout_s` for the first."""
        if not self._arrived:
            self._read(timeout_s)
        events, self._arrived = self._arrived, []
        return events

    def drained(self) -> bool:
        """Whether it is dead and all its events have been read."""
        return self._closed and not self._arrived and self.returncode is not None

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until it is warm; false if it died or took too long."""
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
        """Kill it and the processes that it started, and wait for its end.

        A runner that is not born yet is given up: if it is still forked, it finds its pipes closed.
        """
        self._is_given_up = True
        if self._was_born():
            self._end_session()
            return
        self._closed = True
        if time.monotonic() - self._asked_at > WARM_UP_TIMEOUT_S:
            self._origin.kill()  # it is stuck; others that wait for it ask another template

    def close(self) -> None:
        """Kill it and close the pipes. The pid must not be used afterwards."""
        self.kill()
        os.close(self._commands)
        os.close(self._events)
        self._template.note_end(self._pid)

    def _ask(self) -> None:
        self._origin, self._commands, self._events = self._template.request()
        os.set_blocking(self._commands, False)
        os.set_blocking(self._events, False)
        self._asked_at = time.monotonic()
        self._num_requests += 1

    def _was_born(self) -> bool:
        if self._pid is None:
            self._read(0)
        return self._pid is not None

    def _read(self, timeout_s: float) -> None:
        if self._closed:
            time.sleep(timeout_s if self._pid is not None and self._collect() is None else 0)
            return
        unsent_to = [self._commands] if self._unsent else []
        readable, writable, _ = select.select([self._events], unsent_to, [], timeout_s)
        if writable:
            self._write()
        if not readable:
            # A dead runner's child may still hold the pipe open; it sends no events.
            self._closed = self._pid is not None and self._collect() is not None
            return
        chunk = os.read(self._events, _READ_BYTES)
        if not chunk:
            self._meet_end()
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        for event in map(decode, lines):
            match event:
                case Born(pid):
                    self._begin(pid)
                case Ready(versions):
                    self.versions = versions
                case _ if not isinstance(event, Command):
                    self._arrived.append(event)

    def _begin(self, pid: int) -> None:
        self._pid = pid
        self._template.note_birth(pid)
        for command in self._waiting:
            self._unsent += encode(command)
        self._waiting.clear()
        self._write()

    def _write(self) -> None:
        """Write as much as the pipe has room for."""
        try:
            while self._unsent:
                del self._unsent[: os.write(self._commands, self._unsent)]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._unsent.clear()

    def _meet_end(self) -> None:
        """Handle the closed pipe: the runner is dead, or the template died before it forked."""
        if self._pid is not None or self._is_given_up or self._num_requests == _MAX_REQUESTS:
            self._closed = True
            return
        commands, events = self._commands, self._events
        self._ask()
        os.close(commands)
        os.close(events)

    def _collect(self) -> int | None:
        """The exit status, if it has ended."""
        assert self._pid is not None
        with self._lock:
            if self._returncode is None:
                self._returncode = _exit_status(self._pid)
            return self._returncode

    def _end_session(self) -> None:
        assert self._pid is not None
        with contextlib.suppress(ProcessLookupError):  # It is dead already, with its whole process group.
            os.killpg(self._pid, signal.SIGKILL)
        with self._lock, contextlib.suppress(ChildProcessError):
            while True:  # The processes that it started are orphans now, and this process collects them too.
                pid, status = os.waitpid(-self._pid, 0)
                if pid == self._pid:
                    self._returncode = os.waitstatus_to_exitcode(status)


def _exit_status(pid: int) -> int | None:
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # it died at its birth, and was collected before its birth was read
        return EXIT_UNBORN
    return os.waitstatus_to_exitcode(status) if ended else None


def _renewed(command: Command, renewal: Renew) -> Command:
    return replace(command, lease_until=renewal.lease_until) if isinstance(command, Measure | Run) else command
