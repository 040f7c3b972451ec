"""`regcore up`: Redis, a worker and the api as child processes of one foreground command."""

import contextlib
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self, TextIO
from urllib.parse import quote

import httpx2

from regclient.client import Client
from regclient.errors import RegClientError, ServerUnreachableError, UnavailableError
from regclient.http.connection import KEY_FILE_NAME, URL_FILE_NAME, Connection
from regclient.stack.embedded_redis import find_redis_server, private_socket_path, redis_answers, redis_command
from regclient.stack.ports import free_port, require_free_port
from regclient.stack.private_files import open_private, removed, write_whole
from regclient.stack.process import ChildProcess, StackError, wait_until
from regclient.stack.server_settings import StackOptions, WrongSettingError, server_command, with_options

REDIS_READY_S = 10.0
API_READY_S = 30.0
WORKER_READY_S = 90.0  # the first import of torch from a cold disk is slow
POLL_S = 0.2
REMOVE_S = 5.0
LOCK_FILE_NAME = "up.lock"

Announce = Callable[[str, str], None]


class StopAskedError(RegClientError):
    """The embedded stack was asked to stop before it was up."""


class EmbeddedStack:
    """The running stack, as a context manager: it is ready inside, and fully stopped afterwards.

    Args:
        options: Address, data directory and slots.
        announce: Called with (part, line) when a part is ready, dies, is restarted or ends.

    Attributes:
        stop_asked: Whether `ask_to_stop` was called; the owner then leaves the context.
    """

    def __init__(self, options: StackOptions, announce: Announce) -> None:
        self.options = options = replace(options, port=options.port or free_port())
        self.data_dir = options.data_dir.expanduser().resolve()
        self.url = options.url
        # Not an Event: a signal's handler would wait for ever if the signal interrupts the code that holds the Event's
        # lock.
        self.stop_asked = False
        self._grace_s = options.stop_grace_s
        self._announce = announce
        self._children: list[ChildProcess] = []
        self._lock: TextIO | None = None
        self._directory: int | None = None

    @property
    def key_path(self) -> Path:
        return self.options.key_path or self.data_dir / KEY_FILE_NAME

    @property
    def api_key(self) -> str:
        return self.key_path.read_text(encoding="utf-8-sig").strip()

    def __enter__(self) -> Self:
        try:
            self._start()
        except OSError as error:  # for example a log that is a folder, or no process is available
            self.stop()
            raise StackError(f"The stack cannot be started: {error}.") from error
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def check(self) -> None:
        """Raise StackError with the last lines of a part that has died."""
        for child in self._children:
            end = child.exit_text()
            if end is not None:
                raise StackError(
                    f"{child.name} died ({end}). It ran {child.program}; "
                    f"its last lines, from {child.log_path}:\n{child.log_tail() or '(none)'}"
                )

    def look_after(self) -> None:
        """Restart parts that have died, and rotate logs; call this repeatedly while the stack is up.

        Each part has its own delay, which grows if it dies soon after a start. This call never waits.
        """
        for child in self._children:
            child.rotate_log()
            line = child.revive()
            if line is not None:
                self._announce(child.name, line)

    def ask_to_stop(self) -> None:
        """Ask the stack's owner to stop it; a second call kills every part. Safe in a signal handler."""
        if self.stop_asked:
            self.kill()
        self.stop_asked = True

    def stop(self) -> None:
        """End every part, Redis last, because the others use it."""
        children = self._children[::-1]
        users = [child for child in children if child.name != "redis"]
        for child in users:
            child.terminate()
        for child in users + [child for child in children if child.name == "redis"]:
            child.terminate()
            child.join(self._grace_s)
            self._announce(child.name, "stopped")
        self._children = []  # not earlier, because `kill` must find them
        if self._directory is not None:
            with contextlib.suppress(OSError):  # Redis removed it, or a folder of the user has this name
                private_socket_path(self.data_dir, self._directory).unlink()
            os.close(self._directory)
            self._directory = None
        if self._lock is not None:
            with contextlib.suppress(OSError):  # never written, or a folder of the user's is in its place
                (self.data_dir / URL_FILE_NAME).unlink()
            if self.options.is_temporary:
                # A runner of a killed worker may write there for a moment longer; the next start removes the rest.
                wait_until(lambda: removed(self.data_dir), REMOVE_S)
            self._lock.close()
            self._lock = None

    def kill(self) -> None:
        """Kill every part without grace. Safe in a signal handler; `stop` must still collect them."""
        self._grace_s = 0.0  # for a part that is just being started, and is not in the list yet
        for child in self._children:
            child.kill()

    def _start(self) -> None:
        self._take_data_dir()
        require_free_port(self.options.host, self.options.port)
        told = self.options
        env = with_options(data_dir=self.data_dir, host=told.host, port=told.port, slots=told.slots)
        env["PYTHONUNBUFFERED"] = "1"
        if told.has_redis_url:
            self._announce("redis", "the one of REGCORE_REDIS_URL")
        else:
            env["REGCORE_REDIS_URL"] = self._start_redis(env)
        started_at = time.time()
        api = self._spawn("api", server_command("api"), env)
        worker = self._spawn("worker", server_command("worker"), env)
        self._wait(api, self._api_ready, API_READY_S)
        write_whole(self.data_dir / URL_FILE_NAME, self.url + "\n")
        self._announce("api", f"{self.url}  (pid {api.pid})")
        connection = Connection(self.url, self.api_key, of_local_files=True)
        # no retries, because `_wait` repeats the request and checks the parts in between
        with Client.of(connection, max_retries=0) as client:
            self._wait(worker, lambda: _has_ready_worker(client, started_at), WORKER_READY_S)
        self._announce("worker", f"ready  (pid {worker.pid}; slots: {self.options.slots})")

    def _start_redis(self, env: dict[str, str]) -> str:
        binary = find_redis_server()
        self._directory = os.open(self.data_dir, os.O_RDONLY | os.O_DIRECTORY)
        socket_path = private_socket_path(self.data_dir, self._directory)
        redis = self._spawn("redis", redis_command(binary, socket_path, self.data_dir), env, socket_path)
        self._wait(redis, lambda: redis_answers(socket_path), REDIS_READY_S)
        self._announce("redis", f"{binary} on {socket_path}  (pid {redis.pid})")
        return f"unix://{quote(os.fsencode(socket_path))}"

    def _take_data_dir(self) -> None:
        logs = self.data_dir / "logs"
        try:
            # An existing folder keeps its mode, because it may be shared. The files that we create in it are private.
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = self._take_lock()
            if self.options.is_temporary:
                _empty(self.data_dir)
            logs.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise WrongSettingError(
                "REGCORE_DATA_DIR or --data-dir: expected a folder that can be written to; "
                f"received {str(self.data_dir)!r:.200} ({error.strerror}: {error.filename or self.data_dir})."
            ) from error

    def _take_lock(self) -> TextIO:
        lock = open_private(self.data_dir / LOCK_FILE_NAME, "a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read().strip() or "unknown"
            lock.close()
            raise StackError(
                f"Another `regcore up` (pid {pid}) uses {self.data_dir}. Stop it, or choose another with --data-dir."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        return lock

    def _spawn(
        self, name: str, command: list[str], env: dict[str, str], socket_path: Path | None = None
    ) -> ChildProcess:
        child = ChildProcess(name, command, env, self.data_dir / "logs" / f"{name}.log", socket_path=socket_path)
        self._children.append(child)
        return child

    def _wait(self, child: ChildProcess, ready: Callable[[], bool], timeout_s: float) -> None:
        def ready_or_dead() -> bool:
            if self.stop_asked:  # before `check`: after a second request, the parts are dead too
                raise StopAskedError("The stack was asked to stop before it was up.")
            self.check()
            return ready()

        if not wait_until(ready_or_dead, timeout_s):
            tail = child.log_tail()
            raise StackError(f"{child.name} was not ready within {timeout_s:g} s. See {child.log_path}:\n{tail}")

    def _api_ready(self) -> bool:
        try:
            # No proxy is used for this machine, even if the environment names one.
            ready = httpx2.get(f"{self.url}/readyz", timeout=2.0, trust_env=False).is_success
            return ready and self.key_path.exists()
        except httpx2.TransportError:
            return False


def _empty(data_dir: Path) -> None:
    """Remove everything in a data directory except its lock."""
    for path in data_dir.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK_FILE_NAME:
            path.unlink()


def run_stack(options: StackOptions, announce: Announce) -> None:
    """Start the stack and keep every part of it running until Ctrl-C or SIGTERM.

    Raises:
        StackError: It could not start. The parts that had started have ended.
    """
    stack = EmbeddedStack(options, announce)

    def on_signal(number: int, frame: FrameType | None) -> None:
        stack.ask_to_stop()  # it does not raise, because an exception would abort the code that the signal interrupts

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with stack:
            announce("regcore", f"up at {stack.url}. The key: {stack.key_path}. Ctrl-C stops everything.")
            while not stack.stop_asked:
                stack.look_after()
                time.sleep(POLL_S)
            announce("regcore", "stopping")
    except StopAskedError:
        announce("regcore", "stopped before it was up")
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _has_ready_worker(client: Client, started_at: float) -> bool:
    # Rows of workers of an earlier `up` remain; a heartbeat since our start is our worker's. UTC times sort as text.
    since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(started_at))
    try:
        workers = client.workers()
    except (ServerUnreachableError, UnavailableError):  # if the api died, `check` says so
        return False
    return any(worker["state"] == "ready" and worker["heartbeat_at"] >= since for worker in workers)
