"""The two servers that the client is tested against, both over real sockets.

`server` speaks the contract and can be told to fail: lost answers, broken streams, wrong keys. `stack` is the real
thing, `regcore up` as a user starts it.
"""

import asyncio
import copy
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvicorn
from fake_datasets import FakeDatasets, add_datasets
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from regclient import Client
from regclient.cli.entry import main
from regclient.stack.process import wait_until
from regclient.stack.up import free_port

KEY = "rc_test_secret"
MODEL = b"\x00weights" * 1000
JOB_ID = "job_" + "0" * 26
SWEEP_ID = "swp_" + "0" * 26


def job_body(job_id: str = JOB_ID, state: str = "running", **fields: Any) -> dict[str, Any]:
    return {
        "id": job_id,
        "name": "n",
        "labels": {},
        "priority": "normal",
        "state": state,
        "state_reason": None,
        "attempt": 1,
        "progress": {"epoch": 1, "num_epochs": 2, "step": 5, "num_steps": 10, "fraction": 0.5, "eta_s": 1.0},
        "created_at": "2026-11-23T07:41:09.123Z",
        "warnings": [],
        "result": None,
        **fields,
    }


def sweep_body(spec: dict[str, Any], state: str = "running") -> dict[str, Any]:
    """A sweep of four members, two of which have ended."""
    counts = {"succeeded": 4} if state == "succeeded" else {"succeeded": 2, "running": 1, "queued": 1}
    entry = {
        "rank": 1,
        "variant": None,
        "values": {"/regularizers/0/strength": 0.001},
        "objective": {"mean": 0.25, "low": 0.2, "high": 0.3, "num": 2},
        "job_ids": [JOB_ID, "job_" + "1" * 26],
    }
    return {
        "id": SWEEP_ID,
        "name": spec.get("name"),
        "labels": {},
        "spec": spec,
        "state": state,
        "counts": counts,
        "num_members": 4,
        "created_at": "2026-11-23T07:41:09.123Z",
        "finished_at": None,
        "best": {**{name: entry[name] for name in ("values", "variant", "job_ids")}, "spec": {}},
        "leaderboard": [entry],
        "links": {},
    }


def interval(value: float, half: float = 0.1) -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half, "num": 2, "num_missing": 0}


PATH: dict[str, Any] = {
    "objective": {"metric": "validation/loss", "mode": "min"},
    "points": [
        {
            "value": 10.0**-power,
            "num": 2,
            "num_missing": 0,
            "metrics": {
                f"{split}/{metric}": interval(power / 10 + shift)
                for split, shift in {"train": 0.0, "validation": 0.1, "test": 0.2}.items()
                for metric in ("loss", "accuracy")
            },
            "norms": {},
            "generalization_gap": interval(0.2),
            "sparsity": interval(0.5),
            "kkt_residual": None,
        }
        for power in (4, 3, 2)
    ],
    "best_value": 0.001,
    "one_standard_error_value": 0.01,
    "smallest_zero_value": None,
    "max_kkt_residual": None,
    "l1_max": None,
    "note": None,
}
JUDGEMENT: dict[str, Any] = {
    "p_value": 0.001,
    "p_value_corrected": 0.002,
    "num_pairs": 3,
    "paired": True,
    "standard_error": {"seeds": 0.01, "rows": 0.01},
    "tests": {"mcnemar": None},
    "verdict": "helps",
    "note": "Three seeds are few.",
}
GROUP: dict[str, Any] = {"num": 3, "num_missing": 0, "mean": 0.5, "low": 0.4, "high": 0.6}
ABLATION: dict[str, Any] = {
    "metric": "test/loss",
    "mode": "min",
    "full": {"name": "full", **GROUP},
    "contributions": [
        {
            "regularizer": "dropout",
            "contribution": {"value": 0.05, "low": 0.02, "high": 0.08},
            "without": GROUP,
            **JUDGEMENT,
        }
    ],
    "correction": "holm",
}


def comparison_body(names: list[str], metric: str) -> dict[str, Any]:
    difference = {"value": -0.05, "low": -0.08, "high": -0.02}
    return {
        "metric": metric,
        "mode": "min",
        "groups": [{"name": name, **GROUP} for name in names],
        "differences": [{"group": names[1], "baseline": names[0], "difference": difference, **JUDGEMENT}],
        "correction": "holm",
    }


def problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    body = {"type": f"urn:regcore:problem:{code}", "title": code, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


class FakeServer:
    """What the server has seen, and what it is told to do wrong."""

    url: str

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.sweeps: dict[str, dict[str, Any]] = {}
        self.datasets = FakeDatasets()
        self.bodies: list[Any] = []  # what reruns, sweeps and comparisons were asked with
        self.keys: dict[str, str] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.queries: list[tuple[str, dict[str, str]]] = []
        self.failures: list[Response] = []  # the next answers, whatever is asked
        self.refuse_jobs: list[Response] = []  # the next answers to POST /v1/jobs
        self.lose_answers = 0  # do the work, then break the connection
        self.break_stream_after: int | None = None
        self.mute_streams = False  # as behind a proxy that ends what it does not understand
        self.ends_after_gets: int | None = None
        self.refused_views: dict[str, str] = {}  # of sweeps, with the reason
        self.events = [{"seq": seq, "at": "t", "kind": "log", "body": {"message": str(seq)}} for seq in range(1, 6)] + [
            {"seq": 6, "at": "t", "kind": "state", "body": {"state": "succeeded"}}
        ]
        self.artifacts = ["model.safetensors"]
        self.damaged: set[str] = set()  # as the server finds out
        self.altered: set[str] = set()  # as it does not
        self.sha256 = hashlib.sha256(MODEL).hexdigest()


def make_app(fake: FakeServer) -> FastAPI:
    app = FastAPI()
    add_datasets(app, fake.datasets)

    @app.middleware("http")
    async def front(request: Request, call_next: Any) -> Response:
        fake.requests.append((request.method, request.url.path, dict(request.headers)))
        fake.queries.append((request.url.path, dict(request.query_params)))
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return problem(401, "unauthorized", "no key")
        if fake.failures:
            return fake.failures.pop(0)
        response: Response = await call_next(request)
        return response

    @app.post("/v1/jobs")
    async def create(request: Request) -> Response:
        spec = await request.json()
        if fake.refuse_jobs:
            return fake.refuse_jobs.pop(0)
        if spec.get("model", {}).get("kind") == "mpl":
            entry = {"pointer": "/model/kind", "code": "unknown", "message": "Did you mean 'mlp'?"}
            return problem(422, "invalid_spec", "1 problem", errors=[entry], request_id="req_1")
        if request.query_params.get("validate_only") == "true":
            return JSONResponse({"valid": True, "resolved_spec": spec, "plan": {}, "warnings": []})
        key = request.headers["idempotency-key"]
        job_id = fake.keys.setdefault(key, f"job_{len(fake.keys):026}")
        body = fake.jobs.setdefault(job_id, job_body(job_id, "queued", spec=spec, name=spec.get("name")))
        if fake.lose_answers:
            fake.lose_answers -= 1

            async def broken() -> Any:
                yield b"{"
                raise ConnectionResetError

            return StreamingResponse(broken(), 201, {"content-length": "100"})
        return JSONResponse(body, 201)

    @app.get("/v1/jobs")
    async def listing(request: Request, limit: int = 50, after: int = 0) -> dict[str, Any]:
        states, sweep_id, name = (request.query_params.get(field) for field in ("state", "sweep_id", "name"))
        found = [body for body in fake.jobs.values() if not states or body["state"] in states.split(",")]
        found = [body for body in found if name is None or body["name"] == name]
        found = [body for body in found if not sweep_id or (body.get("sweep") or {}).get("id") == sweep_id]
        page = [{k: v for k, v in body.items() if k != "spec"} for body in found[after : after + limit]]
        more = after + limit < len(found)
        return {"data": page, "next_after": str(after + limit) if more else None, "has_more": more}

    @app.get("/v1/jobs/{job_id}")
    async def get(job_id: str) -> Any:
        if job_id not in fake.jobs:
            return problem(404, "not_found", f"There is no job {job_id}.")
        if fake.ends_after_gets is not None:
            fake.ends_after_gets -= 1
            if fake.ends_after_gets <= 0:
                fake.jobs[job_id]["state"] = "succeeded"
        return fake.jobs[job_id]

    @app.delete("/v1/jobs/{job_id}")
    async def delete(job_id: str) -> Response:
        if job_id not in fake.jobs:
            return problem(404, "not_found", f"There is no job {job_id}.")
        if fake.jobs[job_id]["state"] == "running":
            return problem(409, "job_not_ended", "Cancel it first.")
        del fake.jobs[job_id]
        return Response(status_code=204)

    @app.post("/v1/jobs/{job_id}/cancel")
    async def cancel(job_id: str) -> Response:
        fake.jobs[job_id]["state"] = "cancelled"
        return JSONResponse(fake.jobs[job_id], 202)

    @app.get("/v1/jobs/{job_id}/metrics")
    async def metrics(job_id: str, after: int = 0, max_points: int | None = None) -> dict[str, Any]:
        rows = [
            {"seq": seq, "epoch": seq, "step": seq, "at": "t", "values": {"train/loss": 1 / seq}} for seq in (1, 2, 3)
        ]
        page = [row for row in rows if row["seq"] > after]  # type: ignore[operator]  # seq is an int
        if max_points is not None:
            return {"data": page[-1:], "next_after": 3, "has_more": False, "state": "running"}
        page = page[:2]
        more = page[-1]["seq"] != 3
        return {"data": page, "next_after": page[-1]["seq"], "has_more": more, "state": "running"}

    @app.get("/v1/jobs/{job_id}/report")
    async def report(job_id: str) -> dict[str, Any]:
        return {"metrics": {}}

    @app.get("/v1/jobs/{job_id}/events")
    async def events(request: Request) -> Response:
        after = int(request.headers.get("last-event-id") or request.query_params.get("after") or 0)
        left = [event for event in fake.events if event["seq"] > after]  # type: ignore[operator]  # seq is an int
        if "text/event-stream" not in request.headers.get("accept", ""):
            return JSONResponse({"data": left, "next_after": None, "has_more": False})
        if not left:
            return Response(status_code=204)

        async def lines() -> Any:
            yield ": hello\nretry: 1000\n\n"
            if fake.mute_streams:
                return
            for sent, event in enumerate(left):
                if fake.break_stream_after is not None and sent == fake.break_stream_after:
                    fake.break_stream_after = None
                    await asyncio.sleep(0.2)  # what was sent arrives before the line breaks
                    raise ConnectionResetError
                yield f"id: {event['seq']}\nevent: {event['kind']}\ndata: {json.dumps(event)}\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    @app.get("/v1/jobs/{job_id}/artifacts")
    async def artifacts(job_id: str) -> dict[str, Any]:
        common = {"size_bytes": len(MODEL), "sha256": fake.sha256, "media_type": "x/y"}
        return {"data": [{"name": name, **common} for name in fake.artifacts]}

    @app.get("/v1/jobs/{job_id}/artifacts/{name}")
    async def artifact(name: str) -> Response:
        if name in fake.damaged:
            return problem(500, "artifact_damaged", f"The artifact '{name}' is damaged: its file is lost.")
        if name in fake.altered:
            return Response(MODEL[::-1], media_type="application/octet-stream")
        return Response(MODEL, media_type="application/octet-stream")

    @app.post("/v1/jobs/{job_id}/rerun")
    async def rerun(request: Request, job_id: str) -> Response:
        fake.bodies.append(await request.json())
        if fake.bodies[-1]["start_from"] == "checkpoint":
            return problem(409, "illegal_action", "This job has no checkpoint.")
        new_id = fake.keys.setdefault(request.headers["idempotency-key"], f"job_{len(fake.keys):026}")
        return JSONResponse(fake.jobs.setdefault(new_id, job_body(new_id, "queued", parent_job_id=job_id)), 201)

    @app.post("/v1/sweeps")
    async def create_sweep(request: Request) -> Response:
        fake.bodies.append(await request.json())
        if request.query_params.get("validate_only") == "true":
            return JSONResponse({"valid": True, "num_members": 4})
        assert request.headers["idempotency-key"]
        body = fake.sweeps.setdefault(SWEEP_ID, sweep_body(fake.bodies[-1]))
        return JSONResponse(body, 201)

    @app.get("/v1/sweeps")
    async def sweeps(name: str | None = None) -> dict[str, Any]:
        left_out = ("spec", "best", "leaderboard")
        found = [body for body in fake.sweeps.values() if name is None or body["name"] == name]
        found = [{k: v for k, v in body.items() if k not in left_out} for body in found]
        return {"data": found, "next_after": None, "has_more": False}

    @app.get("/v1/sweeps/{sweep_id}")
    async def get_sweep(sweep_id: str) -> Any:
        if sweep_id not in fake.sweeps:
            return problem(404, "sweep_not_found", f"There is no sweep {sweep_id}.")
        if fake.ends_after_gets is not None:
            fake.ends_after_gets -= 1
            if fake.ends_after_gets <= 0:
                fake.sweeps[sweep_id] = sweep_body(fake.sweeps[sweep_id]["spec"], "succeeded")
        return fake.sweeps[sweep_id]

    @app.post("/v1/sweeps/{sweep_id}/cancel")
    async def cancel_sweep(sweep_id: str) -> Response:
        fake.sweeps[sweep_id]["state"] = "cancelled"
        return JSONResponse(fake.sweeps[sweep_id], 202)

    @app.delete("/v1/sweeps/{sweep_id}")
    async def delete_sweep(sweep_id: str) -> Response:
        if fake.sweeps[sweep_id]["state"] == "running":
            return problem(409, "illegal_action", "Cancel it first.")
        del fake.sweeps[sweep_id]
        return Response(status_code=204)

    @app.get("/v1/sweeps/{sweep_id}/{view}")
    async def sweep_view(view: str) -> Any:
        if view in fake.refused_views:
            return problem(409, "not_of_this_sweep", fake.refused_views[view])
        return {"path": PATH, "comparison": comparison_body(["l2", "dropout"], "test/loss"), "ablation": ABLATION}[view]

    @app.post("/v1/comparisons")
    async def compare(request: Request) -> Any:
        fake.bodies.append(await request.json())
        names = [group["name"] for group in fake.bodies[-1]["groups"]]
        return comparison_body(names, fake.bodies[-1]["metric"])

    @app.get("/v1/workers")
    async def workers() -> dict[str, Any]:
        return {"data": [{"id": "wrk_1", "state": "ready", "versions": {"python": "3.11.2", "torch": "2.9.0"}}]}

    return app


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[FakeServer]:
    fake = FakeServer()
    config = uvicorn.Config(make_app(fake), port=0, log_level="critical", lifespan="off")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    fake.url = f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    monkeypatch.setenv("REGCORE_URL", fake.url)
    monkeypatch.setenv("REGCORE_API_KEY", KEY)
    monkeypatch.setenv("REGCORE_DATA_DIR", str(tmp_path / "nothing"))
    yield fake
    running.should_exit = True
    thread.join()


@pytest.fixture(name="job_body")
def _job_body() -> Callable[..., dict[str, Any]]:
    """Makes a job as the server gives it, of an id, a state and fields."""
    return job_body


@pytest.fixture(name="sweep_body")
def _sweep_body() -> Callable[..., dict[str, Any]]:
    """Makes a sweep as the server gives it, of a spec and a state."""
    return sweep_body


@pytest.fixture
def path() -> dict[str, Any]:
    """A path of three values, as the server gives it; free to change."""
    return copy.deepcopy(PATH)


@pytest.fixture
def comparison() -> dict[str, Any]:
    """A comparison of two groups, as the server gives it; free to change."""
    return copy.deepcopy(comparison_body(["l2", "dropout"], "test/loss"))


@pytest.fixture
def ablation() -> dict[str, Any]:
    """An ablation, as the server gives it; free to change."""
    return copy.deepcopy(ABLATION)


DIGITS: dict[str, Any] = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}
SHORT: dict[str, Any] = {**DIGITS, "name": "short", "labels": {"test": "real"}, "training": {"epochs": 3}}
ENDLESS: dict[str, Any] = {**DIGITS, "name": "endless", "training": {"epochs": 100_000}}
UP_TIMEOUT_S = 90.0
# Proxies that answer nothing: what runs on this machine reaches it without one.
NOWHERE = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"}


class UpProcess:
    """`regcore up` as a process of its own, with a folder and a port of its own.

    Args:
        folder: A fresh folder; the data directory and what the process prints are made in it.
        options: More of the command line.
        name: Of the data directory.
        settings: Variables.
    """

    def __init__(self, folder: Path, *options: str, name: str = "regcore", **settings: str) -> None:
        self.data_dir = folder / name
        self._printed, self._errors = folder / "stdout", folder / "stderr"
        command = [sys.executable, "-m", "regclient", "up", "--port", str(free_port())]
        command += ["--data-dir", str(self.data_dir), *options]
        env = (
            {name: value for name, value in os.environ.items() if not name.startswith("REGCORE_")} | NOWHERE | settings
        )
        with self._printed.open("wb") as printed, self._errors.open("wb") as errors:
            self.process = subprocess.Popen(command, stdout=printed, stderr=errors, env=env)

    @property
    def printed(self) -> str:
        return self._printed.read_text(encoding="utf-8")

    @property
    def errors(self) -> str:
        return self._errors.read_text(encoding="utf-8")

    def client(self) -> Client:
        """A client that finds it as a program on this machine would."""
        url, key = ((self.data_dir / name).read_text().strip() for name in ("url", "api-key"))
        return Client(url, key)

    def await_up(self) -> "UpProcess":
        def up_or_ended() -> bool:
            assert self.process.poll() is None, self.printed + self.errors
            return "Ctrl-C stops everything" in self.printed

        assert wait_until(up_or_ended, UP_TIMEOUT_S), self.printed + self.errors
        return self

    def family(self) -> list[psutil.Process]:
        """Every process under it, as they are now."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def part(self, name: str) -> psutil.Process:
        """One of its parts; it must be there."""
        return psutil.Process(self.pid(name))

    def pid(self, name: str) -> int:
        """The pid that it printed last for this part."""
        pids = re.findall(rf"^{name} .*pid (\d+)", self.printed, re.MULTILINE)
        assert pids, self.printed
        return int(pids[-1])

    def stop(self) -> None:
        """End it if it still runs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


@pytest.fixture
def start_up(tmp_path: Path) -> Iterator[Callable[..., UpProcess]]:
    """Starts `regcore up` with more options and variables; it is dead after the test."""
    started = []

    def start(*options: str, name: str = "regcore", **settings: str) -> UpProcess:
        started.append(UpProcess(tmp_path, *options, name=name, **settings))
        return started[-1]

    yield start
    for up in started:
        up.stop()


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpProcess]:
    """One `regcore up` that all tests of the session share."""
    up = UpProcess(tmp_path_factory.mktemp("up"))
    try:
        yield up.await_up()
    finally:
        up.stop()


@pytest.fixture
def stack(shared_stack: UpProcess, monkeypatch: pytest.MonkeyPatch) -> UpProcess:
    """The shared stack, found by its data directory as on a user's machine."""
    monkeypatch.setenv("REGCORE_DATA_DIR", str(shared_stack.data_dir))
    return shared_stack


@pytest.fixture
def real_client(stack: UpProcess) -> Iterator[Client]:
    """`Client()` of the shared stack."""
    with Client() as client:
        yield client


@pytest.fixture(scope="session")
def trained_id(shared_stack: UpProcess) -> str:
    """The id of a job that the shared stack has trained to its end."""
    with shared_stack.client() as client:
        return client.jobs.create(SHORT).wait(120, progress=False).raise_for_state().id


@pytest.fixture
def short_spec() -> dict[str, Any]:
    """A job that is over in a second."""
    return SHORT


@pytest.fixture
def endless_spec() -> dict[str, Any]:
    """A job that nobody waits for."""
    return ENDLESS


@pytest.fixture
def regcore() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line to its end: `regcore("jobs", "--json")`."""

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "regclient", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)

    return run


class TerminalInput(io.TextIOWrapper):
    """What somebody types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def commands(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """As `regcore`, in this process: for what a command says and asks for, without a second of starting."""

    def run(*arguments: str, stdin: str = "", at_terminal: bool = False) -> subprocess.CompletedProcess[str]:
        make = TerminalInput if at_terminal else io.TextIOWrapper
        for stream in ("stdout", "stderr"):  # which the command replaces, for a process of its own
            monkeypatch.setattr(sys, stream, getattr(sys, stream))
        monkeypatch.setattr(sys, "argv", ["regcore", *arguments])
        monkeypatch.setattr(sys, "stdin", make(io.BytesIO(stdin.encode()), "utf-8"))
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def is_alive() -> Callable[[psutil.Process], bool]:
    """Whether a process still runs; one that is over but not yet collected does not."""

    def alive(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return alive
