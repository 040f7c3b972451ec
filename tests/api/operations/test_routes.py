from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from full_disk import FullDisk, small_disk

from api.services import Services
from jobs.model import Capabilities, WorkerInfo
from jobs.settings import Settings


@pytest.fixture
def _small_disk(settings: Settings) -> Iterator[bool]:
    """Whether the data directory is on a small disk of its own."""
    with small_disk(settings.data_dir, 4_000_000) as is_real:
        yield is_real


@pytest.fixture
def full_disk(_small_disk: bool, app: FastAPI) -> FullDisk:
    """Fills the disk of the app's database, and frees it again."""
    services: Services = app.state.services
    return FullDisk(services.settings.data_dir, services.store._database.engine, is_real=_small_disk)


def test_workers_are_listed(client: TestClient, services: Services) -> None:
    slots = [{"device": "cpu", "job_ids": []}]
    services.store.register_worker(
        WorkerInfo("wrk_1", "node-1", Capabilities(frozenset({"cpu"})), slots, {"python": "3.11"})
    )

    (worker,) = client.get("/v1/workers").json()["data"]

    assert set(worker) == {"id", "node", "pool", "state", "slots", "versions", "heartbeat_at"}
    assert (worker["state"], worker["slots"]) == ("ready", slots)


def test_probes_need_no_key_and_no_host_name(anyone: TestClient) -> None:
    headers = {"Host": "10.1.2.3:8000"}

    answers = [anyone.get(path, headers=headers) for path in ("/healthz", "/readyz")]

    assert [(one.status_code, one.json()) for one in answers] == [(200, {"status": "ok"})] * 2


def test_without_its_database_the_server_lives_but_is_not_ready(
    client: TestClient, services: Services, problem_of: Any, spec: dict[str, Any]
) -> None:
    services.store.close()
    database = services.settings.data_dir / "regcore.db"
    database.rename(database.with_suffix(".away"))
    database.mkdir()

    alive = client.get("/healthz")
    answers = [client.get("/readyz"), client.get("/v1/jobs"), client.post("/v1/jobs", json=spec)]

    assert alive.status_code == 200
    for answer in answers:
        problem_of(answer, 503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0


def test_a_full_disk_is_named_by_whatever_must_write_and_by_readiness_until_there_is_room_again(
    full_disk: FullDisk, client: TestClient, problem_of: Any, spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = client.post("/v1/jobs", json=spec).json()["id"]
    before = client.get("/readyz")

    full_disk.fill()
    refused = [
        client.post("/v1/jobs", json=spec),
        client.post("/v1/jobs", json=spec, headers={"Idempotency-Key": "key"}),
        client.get("/readyz"),
    ]
    read = [client.get("/healthz"), client.get(f"/v1/jobs/{job_id}")]
    full_disk.free()
    monkeypatch.setattr("jobs.database.PROOF_LASTS_S", 0.0)
    after = [client.get("/readyz"), client.post("/v1/jobs", json=spec)]

    assert before.status_code == 200
    for answer in refused:
        problem = problem_of(answer, 503, "disk_full")
        assert "disk of the database is full" in problem["detail"]
        assert "/" not in problem["detail"], "strangers are told no path"
        assert int(answer.headers["retry-after"]) > 0
    assert [answer.status_code for answer in read] == [200, 200]
    assert [answer.status_code for answer in after] == [200, 201]


def test_the_document_is_served(client: TestClient) -> None:
    document = client.get("/openapi.json").json()

    assert document["openapi"].startswith("3.")
    assert "/v1/jobs" in document["paths"]
