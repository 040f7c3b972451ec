"""The whole stack as processes that a test can kill: Redis, api, workers and their runners, and a client."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import redis

from regclient.stack.embedded_redis import find_redis_server, redis_command

TERMINAL = ("succeeded", "failed", "cancelled")
START_TIMEOUT_S = 60.0
REQUEST_TIMEOUT_S = 30.0
FAULTY_WORKER = Path(__file__).parents[1] / "faults" / "faulty_worker.py"


class Part:
    """One process of the stack.

    Args:
        name: `redis`, `api`, `worker`, `worker2`, …
        command: The program and its arguments.
        environment: The environment of the process.
        log_path: The file for its output.
    """

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log_path: Path) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self.log_path = log_path
        self.expected_to_live = False
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        assert self._process is not None
        return self._process.poll()

    def start(self) -> "Part":
        """Start it for the first time, or again."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)
        self.expected_to_live = True
        return self

    def revive(self) -> None:
        """Start it again unless it is alive, and is to stay so: one that was told to end may take a while to."""
        if self._process is not None and not self.expected_to_live:
            self._process.wait(START_TIMEOUT_S)
        if self._process is None or self._process.poll() is not None:
            self.start()

    def kill(self) -> None:
        """Kill it with SIGKILL, and wait for its end."""
        self.send(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal; after one that ends it, `wait_for` no longer expects it to be alive."""
        self.expected_to_live = number in (signal.SIGSTOP, signal.SIGCONT)
        os.kill(self.pid, number)

    def stop(self, grace_s: float = 30.0) -> None:
        """End it with SIGTERM, and after the grace with SIGKILL."""
        if self._process is None or self._process.poll() is not None:
            return
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def runners(self) -> list[psutil.Process]:
        """Return a worker's runners: those that train first, then by the processor time that they have used."""
        children = self._children("regcore-runner")
        return sorted(children, key=lambda child: (not _trains(child), -sum(child.cpu_times()[:2])))

    def templates(self) -> list[psutil.Process]:
        """Return the templates that a worker's runners are forked from: one, or for short moments none."""
        return self._children("regcore-template")

    def _children(self, title: str) -> list[psutil.Process]:
        return [child for child in psutil.Process(self.pid).children() if _is_called(child, title)]


def _is_called(process: psutil.Process, title: str) -> bool:
    try:
        return process.cmdline()[:1] == [title]
    except psutil.NoSuchProcess:  # the process has ended meanwhile
        return False


def _trains(runner: psutil.Process) -> bool:
    """Whether the runner trains: while it has a run, its output goes into the run's folder."""
    return any("/runs/" in file.path for file in runner.open_files())


class LiveStack:
    """A stack of Redis, api and workers with one data directory.

    Args:
        folder: The folder for all files.
        database_url: The URL of a PostgreSQL; None for SQLite.
        worker: The program that a worker is; None for the real one.
        **settings: Settings by name, such as `lease_s=2`.
    """

    def __init__(
        self, folder: Path, database_url: str | None, *, worker: Path | None = None, **settings: object
    ) -> None:
        self.folder = folder
        self.data_dir = folder / "regcore"
        self.port = _free_port()
        # The path of a socket has at most 107 bytes, and pytest's folders can be longer.
        self._socket = Path(f"/tmp/regcore-{os.getpid()}-{self.port}.sock")
        self.redis_url = f"unix://{self._socket}"
        shown = {"data_dir": self.data_dir, "redis_url": self.redis_url, "port": self.port, **settings}
        if database_url is not None:
            shown["database_url"] = database_url
        self.environment = os.environ | {f"REGCORE_{name.upper()}": str(value) for name, value in shown.items()}
        self.is_sqlite = database_url is None
        self._worker_command = [sys.executable, *(["-m", "worker"] if worker is None else [str(worker)])]
        self.parts: dict[str, Part] = {}
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=REQUEST_TIMEOUT_S)

    def start(self, num_workers: int = 1) -> "LiveStack":
        """Start every part and wait until jobs can run."""
        self._add("redis", redis_command(find_redis_server(), self._socket, self.folder)).start()
        self.await_redis()
        if not self.is_sqlite:
            self.run("jobs.migrate")
        # On SQLite, api and worker start together, and both migrate the database.
        self._add("api", [sys.executable, "-m", "api"]).start()
        for number in range(1, num_workers + 1):
            self.add_worker(number).start()
        self.await_api()
        self.wait_for(lambda: self.num_ready_workers() >= num_workers)
        return self

    def close(self) -> None:
        """Stop every part, Redis last."""
        for part in reversed(self.parts.values()):
            part.stop()
        self.client.close()
        self._socket.unlink(missing_ok=True)

    def add_worker(self, number: int) -> Part:
        """Add a worker without starting it."""
        name = "worker" if number == 1 else f"worker{number}"
        return self._add(name, self._worker_command)

    def run(self, module: str) -> None:
        """Run `python -m module` to its end."""
        subprocess.run([sys.executable, "-m", module], env=self.environment, check=True, timeout=START_TIMEOUT_S)

    @property
    def redis(self) -> redis.Redis:
        """Return a client of the stack's Redis."""
        return redis.Redis.from_url(self.redis_url)

    @property
    def worker(self) -> Part:
        return self.parts["worker"]

    @property
    def api(self) -> Part:
        return self.parts["api"]

    def await_redis(self) -> None:
        self.wait_for(lambda: _quietly(lambda: bool(self.redis.ping()), redis.RedisError))

    def await_api(self) -> None:
        """Wait for the api, and read the key that it wrote."""
        self.wait_for(lambda: _quietly(lambda: self.client.get("/readyz").is_success, httpx2.TransportError))
        self.client.headers["Authorization"] = f"Bearer {(self.data_dir / 'api-key').read_text().strip()}"

    def num_ready_workers(self) -> int:
        return sum(worker["state"] == "ready" for worker in self.get("/v1/workers")["data"])

    def worker_of(self, job_id: str) -> Part:
        """Wait until a worker says that it has the job; return its part."""
        found: list[str] = []

        def has(worker: dict[str, Any]) -> bool:
            return any(job_id in slot["job_ids"] for slot in worker["slots"])

        def arrived() -> bool:
            found[:] = [worker["id"] for worker in self.get("/v1/workers")["data"] if has(worker)]
            return len(found) == 1

        self.wait_for(arrived)
        said = f'"worker_id": "{found[0]}"'
        return next(part for part in self.parts.values() if said in part.log_path.read_text())

    def get(self, path: str) -> dict[str, Any]:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def submit(self, spec: dict[str, Any]) -> str:
        """Submit a job; return its id."""
        answer = self.client.post("/v1/jobs", json=spec)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def act(self, job_id: str, action: str) -> dict[str, Any]:
        """Cancel, pause or resume a job."""
        answer = self.client.post(f"/v1/jobs/{job_id}/{action}")
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    def job(self, job_id: str) -> dict[str, Any]:
        return self.get(f"/v1/jobs/{job_id}")

    def wait(self, job_id: str, *states: str, timeout_s: float = 120) -> dict[str, Any]:
        """Wait until the job is in one of these states."""
        found: dict[str, Any] = {}

        def arrived() -> bool:
            found.update(self.job(job_id))
            assert found["state"] in states or found["state"] not in TERMINAL, found["state_reason"]
            return found["state"] in states

        self.wait_for(arrived, timeout_s)
        return found

    def wait_for_step(self, job_id: str, step: int) -> None:
        """Wait until the job trains and has reported this step."""

        def arrived() -> bool:
            job = self.job(job_id)
            assert job["state"] not in TERMINAL, job["state_reason"]
            return job["state"] == "running" and job["progress"]["step"] >= step

        self.wait_for(arrived, 120)

    @contextlib.contextmanager
    def slow_training(self) -> Iterator[None]:
        """What trains takes 20 ms longer a step from its hundredth on."""
        assert str(FAULTY_WORKER) in self._worker_command, "the real worker does not look for the file"
        slow_file = self.data_dir / "slow"
        slow_file.touch()
        try:
            yield
        finally:
            slow_file.unlink()

    def records(self, job_id: str, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the job's log, or its records of one kind."""
        page = self.get(f"/v1/jobs/{job_id}/events?limit=10000")
        assert not page["has_more"]
        return [record for record in page["data"] if kind in (None, record["kind"])]

    def stream(self, job_id: str, last_event_id: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """Read the live stream until it ends, or until the given number of events has come."""
        headers = {"Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        events: list[dict[str, Any]] = []
        event: dict[str, Any] = {}
        with self.client.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                if line.startswith("id:"):
                    event["id"] = line[3:].strip()
                elif line.startswith("data:"):
                    event["data"] = json.loads(line[5:])
                elif not line and event:
                    events.append(event)
                    event = {}
                    if len(events) == limit:
                        break
        return events

    def artifact_text(self, job_id: str, name: str) -> str:
        return self.artifact_bytes(job_id, name).decode()

    def artifact_bytes(self, job_id: str, name: str) -> bytes:
        answer = self.client.get(f"/v1/jobs/{job_id}/artifacts/{name}")
        assert answer.status_code == 200, answer.text
        return bytes(answer.content)

    def artifact_names(self, job_id: str) -> set[str]:
        return {one["name"] for one in self.get(f"/v1/jobs/{job_id}/artifacts")["data"]}

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait for a condition; fail if a part ends that was not told to."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            for part in self.parts.values():
                gone = part.expected_to_live and part.returncode is not None
                assert not gone, f"{part.name} ended by itself: {part.log_path.read_text()[-3000:]}"
            assert time.monotonic() < deadline, f"it took longer than {timeout_s} s"
            time.sleep(0.03)

    def _add(self, name: str, command: list[str]) -> Part:
        self.parts[name] = Part(name, command, self.environment, self.folder / f"{name}.log")
        return self.parts[name]


@contextlib.contextmanager
def live_stack(
    folder: Path, database_url: str | None, *, num_workers: int = 1, worker: Path | None = None, **settings: object
) -> Iterator[LiveStack]:
    """Run a stack, and stop all of it afterwards."""
    stack = LiveStack(folder, database_url, worker=worker, **settings)
    try:
        yield stack.start(num_workers)
    finally:
        stack.close()


def _quietly(question: Callable[[], bool], *errors: type[Exception]) -> bool:
    try:
        return question()
    except errors:
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
