"""The template process as the worker sees it: it forks runners, and is replaced when it dies."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

from worker.supervise.orphans import adopt_orphans, collect_orphans


class RunnerTemplate:
    """One `python -m worker.run.template`, started when the first runner is asked for, and again if it has died.

    From now on this process adopts orphaned descendants, which the runners are, so that it learns how they end.

    Args:
        environment: The template's and its runners', whole.
        program: The command to start; the file descriptor to read requests from is appended.
        inherited: Further file descriptors that the template and its runners keep open.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        program: Sequence[str] = (sys.executable, "-P", "-m", "worker.run.template"),
        inherited: Sequence[int] = (),
    ) -> None:
        self._inherited = tuple(inherited)
        self._environment = dict(environment)
        self._program = list(program)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self._runner_pids: set[int] = set()
        adopt_orphans(True)

    def request(self) -> tuple[subprocess.Popen[bytes], int, int]:
        """Request a fork. Returns the template, the pipe to write commands to and the pipe to read events from."""
        with self._lock, contextlib.ExitStack() as on_error, contextlib.ExitStack() as theirs:
            if self._process is None or self._process.poll() is not None:
                self._start()
            commands_read, commands = os.pipe()
            theirs.callback(os.close, commands_read)
            on_error.callback(os.close, commands)
            events, events_write = os.pipe()
            theirs.callback(os.close, events_write)
            on_error.callback(os.close, events)
            if not self._send(commands_read, events_write):  # it was dying, although it looked alive
                self._start()
                self._send(commands_read, events_write)
            on_error.pop_all()
            assert self._process is not None
            return self._process, commands, events

    def note_birth(self, pid: int) -> None:
        """Note that somebody waits for this runner from now on."""
        self._runner_pids.add(pid)

    def note_end(self, pid: int | None) -> None:
        """Forget a closed runner, and collect every other ended child that nobody waits for."""
        with self._lock:
            self._runner_pids.discard(pid or 0)
            collect_orphans(self._runner_pids | ({self._process.pid} if self._process else set()))

    def close(self) -> None:
        """End the template. Its runners keep running."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._requests is not None:
            self._requests.close()

    def _send(self, *descriptors: int) -> bool:
        """Send a request; returns whether the template was alive. If it dies before it forks, the descriptors close."""
        assert self._requests is not None
        try:
            socket.send_fds(self._requests, [b"\0"], descriptors)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def _start(self) -> None:
        self._end()
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._requests.setblocking(False)  # a stuck template does not read requests
        with theirs:
            self._process = subprocess.Popen(
                [*self._program, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                env=self._environment,
                pass_fds=(theirs.fileno(), *self._inherited),
                # Ctrl-C at the terminal, or a signal to the worker's process group, must not reach it: the supervisor
                # decides.
                start_new_session=True,
            )
