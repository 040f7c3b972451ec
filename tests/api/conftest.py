"""An api on a store of its own, and a job that has run."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pyarrow as pa
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from one_job import append, finish
from safetensors.numpy import save

from api.app import create_app
from api.services import Services
from jobs.artifacts import media_type
from jobs.keys import Token
from jobs.model import ArtifactRow, Capabilities, NewRecord, ParsedTable
from jobs.settings import Settings
from jobs.states import JobState, Reason, make_reason
from regcore.data.tables.find_types import find_facts

BASE_URL = "http://127.0.0.1"


@pytest.fixture
def spec() -> dict[str, Any]:
    """A spec that is accepted."""
    return {
        "name": "tiny",
        "labels": {"team": "vision"},
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "mlp", "hidden": [8]},
        "regularizers": [{"kind": "l1", "strength": 1e-4}],
        "training": {"epochs": 2},
    }


@pytest.fixture
def sweep_spec(spec: dict[str, Any]) -> dict[str, Any]:
    """A sweep that is accepted: three strengths with two seeds each."""
    axis = {"pointer": "/regularizers/0/strength", "values": [1e-4, 1e-3, 1e-2]}
    return {"name": "how much", "labels": {"team": "vision"}, "base": spec, "axes": [axis], "seeds": [0, 1]}


@pytest.fixture
def app(with_tables: Settings) -> FastAPI:
    """The app, its store open."""
    return create_app(with_tables)


@pytest.fixture
def services(app: FastAPI) -> Services:
    """What the app works with."""
    found: Services = app.state.services
    return found


@pytest.fixture
def token(settings: Settings, app: FastAPI) -> str:
    """The admin key that the first start wrote."""
    return (settings.data_dir / "api-key").read_text().strip()


@pytest.fixture
def anyone(app: FastAPI) -> Iterator[TestClient]:
    """A client without a key."""
    with TestClient(app, base_url=BASE_URL, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client(anyone: TestClient, token: str) -> TestClient:
    """A client with the admin key."""
    anyone.headers["Authorization"] = f"Bearer {token}"
    return anyone


@pytest.fixture
def stranger(services: Services) -> str:
    """The key of another tenant."""
    token = Token.new()
    services.store.import_key(token, tenant="other", scopes=frozenset({"admin"}))
    return str(token)


@pytest.fixture
def running(client: TestClient, services: Services, spec: dict[str, Any]) -> tuple[str, int]:
    """A job that runs, and its run."""
    return _start_job(client, services, spec)


@pytest.fixture
def finished(running: tuple[str, int], services: Services, tmp_path: Path) -> str:
    """A job that has succeeded, with ten metrics rows and two artifacts."""
    job_id, run_id = running
    _add_metrics(services, run_id, job_id, 10)
    artifacts = []
    for name, content in {"report.json": b'{"metrics": {}}', "log.txt": b"0123456789"}.items():
        source = tmp_path / name
        source.write_bytes(content)
        sha256, size_bytes = services.artifacts.put(source)
        artifacts.append(ArtifactRow(name, size_bytes, sha256, media_type(name)))
    finish(services.store, run_id, job_id, JobState.SUCCEEDED, result={"metrics": {}}, artifacts=artifacts)
    return job_id


@pytest.fixture
def trained(running: tuple[str, int], services: Services, tmp_path: Path) -> str:
    """A job that has succeeded, as far as its rows say; nobody loads its weights."""
    job_id, run_id = running
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    weights = ArtifactRow(file.name, len(b"weights"), services.artifacts.put(file)[0], "application/octet-stream")
    finish(services.store, run_id, job_id, JobState.SUCCEEDED, result={"metrics": {}}, artifacts=[weights])
    return job_id


@pytest.fixture
def dataset_id(client: TestClient, services: Services) -> str:
    """A data set that is ready."""
    return _upload_table(client, services)


@pytest.fixture
def table_spec(spec: dict[str, Any], dataset_id: str) -> dict[str, Any]:
    """A spec on that data set, which is accepted."""
    return {**spec, "data": {"kind": "dataset", "id": dataset_id, "target": "churn"}}


def _upload_table(client: TestClient, services: Services, num_rows: int = 200, name: str = "customers.csv") -> str:
    """Upload a table of customers, and read it as a worker does."""
    columns = pa.table(
        {
            "age": [str(20 + row % 50) if row % 7 else "" for row in range(num_rows)],
            "city": [("Oslo", "Bergen", "Rome")[row % 3] for row in range(num_rows)],
            "churn": [("no", "yes")[row % 2] for row in range(num_rows)],
        }
    )
    lines = [",".join(columns.column_names), *(",".join(row.values()) for row in columns.to_pylist())]
    content = "\n".join([*lines, ""])
    headers = {"Content-Type": "text/csv"}
    made = client.post("/v1/datasets", params={"name": name}, content=content, headers=headers).json()
    claim = services.store.claim_dataset("wrk_test")
    assert claim is not None
    assert claim.id == made["id"]
    facts = find_facts(columns, format="csv").model_dump(mode="json")
    preview = {"columns": columns.column_names, "rows": [list(row.values()) for row in columns.to_pylist()[:20]]}
    table = ParsedTable(facts, preview, num_rows, 3, "table", sha256="f" * 64, size_bytes=99)
    assert services.store.finish_dataset(claim, table)
    return claim.id


def _start_job(client: TestClient, services: Services, spec: dict[str, Any]) -> tuple[str, int]:
    """Submit a job, and claim and start it as a worker does."""
    job_id = client.post("/v1/jobs", json=spec).json()["id"]
    claimed = services.store.claim("wrk_test", Capabilities(frozenset({"cpu"})))
    assert claimed is not None
    services.store.start_all(claimed.run_id)
    return job_id, claimed.run_id


def _end_jobs(services: Services, results: Iterable[dict[str, Any] | None], folder: Path) -> list[str]:
    """Run the next waiting jobs, one for each result, as a worker does; one without a result fails.

    A result may have `rows`, what each row adds to a metric, which are kept as the job's artifact.
    """
    job_ids = []
    for place, result in enumerate(results):
        claimed = services.store.claim("wrk_test", Capabilities(frozenset({"cpu"})))
        assert claimed is not None
        job_ids.append(claimed.jobs[0].id)
        services.store.start_all(claimed.run_id)
        if result is None:
            reason = make_reason(Reason.DIVERGED)
            finish(services.store, claimed.run_id, job_ids[-1], JobState.FAILED, reason=reason)
            continue
        kept = []
        if "rows" in result:
            file = folder / f"rows-{place}.safetensors"
            file.write_bytes(save({name: np.asarray(rows, np.float64) for name, rows in result["rows"].items()}))
            sha256, size_bytes = services.artifacts.put(file)
            kept.append(ArtifactRow("rows.safetensors", size_bytes, sha256, "application/octet-stream"))
        shown = {name: value for name, value in result.items() if name != "rows"}
        finish(services.store, claimed.run_id, job_ids[-1], JobState.SUCCEEDED, result=shown, artifacts=kept)
    return job_ids


def _add_metrics(services: Services, run_id: int, job_id: str, num_rows: int) -> None:
    """Append metrics rows as a worker does; the last one has a value that is not finite."""
    rows = []
    for epoch in range(1, num_rows + 1):
        last = epoch == num_rows
        values = {"train/loss": 1 / epoch, "test/loss": None if last else 2 / epoch}
        body = {"epoch": epoch, "step": epoch * 10, "values": values, "non_finite": ["test/loss"] if last else []}
        rows.append(NewRecord("metrics", body, 1_700_000_000.123 + epoch, key=f"step:{epoch * 10}"))
    append(services.store, run_id, job_id, rows)


def _num_jobs(services: Services) -> int:
    """How many jobs are stored."""
    return len(services.store.list("default").data)


def _problem_of(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The problem that a response is, after what all problems have in common is checked."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["type"] == f"urn:regcore:problem:{code}"
    assert problem["status"] == status
    assert problem["request_id"] == response.headers["x-request-id"]
    assert problem["detail"]
    return problem


@contextmanager
def _serve(
    settings: Settings, port: int, more: Mapping[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run `python -m api` for real, with more variables; gives its URL and its process, once it is ready."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "REGCORE_DATA_DIR": str(settings.data_dir),
        "REGCORE_REDIS_URL": settings.redis_url,
        "REGCORE_PORT": str(port),
        **(more or {}),
    }
    log = settings.data_dir.parent / "api.log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "api"], env=environment, stderr=output, stdout=output)
    url = f"{BASE_URL}:{port}"
    try:
        deadline = time.monotonic() + 30
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            try:
                httpx2.get(f"{url}/readyz").raise_for_status()
                break
            except httpx2.HTTPError:
                time.sleep(0.02)
        yield url, process
    finally:
        process.terminate()
        process.wait(10)


def _exchange(port: int, sent: bytes) -> bytes:
    """What a server answers to these bytes, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(sent)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
        return answer


# Tests import nothing from here (importlib mode), so functions come as fixtures.


@pytest.fixture(name="start_job")
def _start_job_fixture() -> Any:
    return _start_job


@pytest.fixture(name="upload_table")
def _upload_table_fixture(client: TestClient, services: Services) -> Any:
    return lambda *args, **fields: _upload_table(client, services, *args, **fields)


@pytest.fixture(name="add_metrics")
def _add_metrics_fixture() -> Any:
    return _add_metrics


@pytest.fixture(name="end_jobs")
def _end_jobs_fixture(services: Services, tmp_path: Path) -> Any:
    return lambda results: _end_jobs(services, results, tmp_path)


@pytest.fixture(name="num_jobs")
def _num_jobs_fixture(services: Services) -> Any:
    return lambda: _num_jobs(services)


@pytest.fixture(name="problem_of")
def _problem_of_fixture() -> Any:
    return _problem_of


@pytest.fixture(name="serve")
def _serve_fixture() -> Any:
    return _serve


@pytest.fixture(name="exchange")
def _exchange_fixture() -> Any:
    return _exchange


@pytest.fixture
def free_tcp_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def stopped(running: tuple[str, int], services: Services) -> str:
    """A job that was cancelled after it had saved a checkpoint."""
    job_id, run_id = running
    body = {"run_id": run_id, "step": 7, "epoch": 1, "name": "step-0000000007", "size_bytes": 10}
    append(services.store, run_id, job_id, [NewRecord("checkpoint", body, 1_700_000_000.0, key="step:7")])
    services.store.request_cancel("default", job_id)
    finish(services.store, run_id, job_id, JobState.CANCELLED)
    return job_id
