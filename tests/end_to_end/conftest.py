"""The whole stack as a user runs it: api and worker processes, a Redis of the test's own, and HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
import redis

from jobs.settings import Settings

TERMINAL = ("succeeded", "failed", "cancelled")
_START_TIMEOUT_S = 60.0


class Stack:
    """The running processes and a client with the first start's key.

    Args:
        environment: The settings, as variables.
        data_dir: Where the key is.
        url: The api's.
    """

    def __init__(self, environment: dict[str, str], data_dir: Path, url: str) -> None:
        self._environment = {**os.environ, **environment}
        self._data_dir = data_dir
        self.redis = redis.Redis.from_url(environment["REGCORE_REDIS_URL"])
        self._processes: list[subprocess.Popen[bytes]] = []
        self.worker: subprocess.Popen[bytes] | None = None
        self.client = httpx2.Client(base_url=url, timeout=30)

    def start(self, module: str) -> subprocess.Popen[bytes]:
        """Start `python -m module`; it is dead after the test."""
        process = subprocess.Popen([sys.executable, "-m", module], env=self._environment)
        self._processes.append(process)
        return process

    def run(self, module: str) -> None:
        """Run `python -m module` to its end."""
        subprocess.run([sys.executable, "-m", module], env=self._environment, check=True, timeout=_START_TIMEOUT_S)

    def await_ready(self, num_workers: int = 1) -> None:
        """Wait for the api, take the key that it wrote, and wait for the workers."""
        self._wait(self._api_is_ready)
        self.client.headers["Authorization"] = f"Bearer {(self._data_dir / 'api-key').read_text().strip()}"
        self._wait(lambda: len(self._ready_workers()) >= num_workers)

    def submit(self, spec: dict[str, Any]) -> str:
        """Submit a job; its id."""
        answer = self.client.post("/v1/jobs", json=spec)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        answer = self.client.get(f"/v1/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def wait(self, job_id: str, *states: str, timeout_s: float = 120) -> dict[str, Any]:
        """Wait until the job is in one of these states."""
        found: dict[str, Any] = {}

        def arrived() -> bool:
            found.update(self.job(job_id))
            assert found["state"] in states or found["state"] not in TERMINAL, found["state_reason"]
            return found["state"] in states

        self._wait(arrived, timeout_s)
        return found

    def events(self, job_id: str, last_event_id: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """Read the live stream until it ends, or until so many events have come."""
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

    def runner_of(self, worker: subprocess.Popen[bytes]) -> psutil.Process:
        """The runner that trains: the child that has used the processor the most."""
        return max(psutil.Process(worker.pid).children(), key=lambda child: sum(child.cpu_times()[:2]))

    def close(self) -> None:
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.client.close()
        self.redis.close()

    def _api_is_ready(self) -> bool:
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx2.TransportError:
            return False

    def _ready_workers(self) -> list[dict[str, Any]]:
        answer = self.client.get("/v1/workers")
        assert answer.status_code == 200, answer.text
        return [worker for worker in answer.json()["data"] if worker["state"] == "ready"]

    def _wait(self, condition: Callable[[], bool], timeout_s: float = _START_TIMEOUT_S) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            ended = [process.args for process in self._processes if process.returncode or process.poll()]
            assert not ended, f"ended by itself: {ended}"
            assert time.monotonic() < deadline, "it took too long"
            time.sleep(0.05)


@pytest.fixture(params=["sqlite", "postgresql"])
def stack(
    request: pytest.FixtureRequest, settings: Settings, redis_url: str, tmp_path: Path, free_tcp_port: int
) -> Iterator[Stack]:
    """A ready stack on each database. On SQLite api and worker start at once and both migrate it."""
    environment = {
        "REGCORE_DATA_DIR": str(settings.data_dir),
        "REGCORE_REDIS_URL": redis_url,
        "REGCORE_PORT": str(free_tcp_port),
        "REGCORE_LEASE_S": str(settings.lease_s),
        "REGCORE_RECONCILE_INTERVAL_S": str(settings.reconcile_interval_s),
    }
    if request.param == "postgresql":
        environment["REGCORE_DATABASE_URL"] = request.getfixturevalue("postgres_url")
    stack = Stack(environment, settings.data_dir, f"http://127.0.0.1:{free_tcp_port}")
    stack.redis.flushall()
    with ExitStack() as cleanup:
        cleanup.callback(stack.close)
        if request.param == "postgresql":
            stack.run("jobs.migrate")
        stack.start("api")
        stack.worker = stack.start("worker")
        stack.await_ready()
        yield stack


@pytest.fixture
def free_tcp_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
