from typing import Any

from fastapi.testclient import TestClient

from api.services import Services
from jobs.model import Capabilities, WorkerInfo


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


def test_the_document_is_served(client: TestClient) -> None:
    document = client.get("/openapi.json").json()

    assert document["openapi"].startswith("3.")
    assert "/v1/jobs" in document["paths"]
