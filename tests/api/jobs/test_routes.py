from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.services import Services


def test_a_submitted_job_is_stored_and_has_an_address(client: TestClient, spec: dict[str, Any]) -> None:
    response = client.post("/v1/jobs", json=spec)

    job = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/v1/jobs/{job['id']}" == job["links"]["self"]
    assert (job["state"], job["attempt"], job["spec"]) == ("queued", 0, spec)
    assert job["resolved_spec"]["training"]["batch_size"] == 64
    assert job["created_at"].endswith("Z")
    assert client.get(response.headers["location"]).json() == job


def test_a_resolved_spec_can_be_submitted_again(client: TestClient, spec: dict[str, Any]) -> None:
    resolved = client.post("/v1/jobs", json=spec).json()["resolved_spec"]

    again = client.post("/v1/jobs", json=resolved)

    assert again.status_code == 201
    assert again.json()["resolved_spec"] == resolved


def test_validate_only_answers_and_stores_nothing(client: TestClient, num_jobs: Any, spec: dict[str, Any]) -> None:
    response = client.post("/v1/jobs?validate_only=true", json=spec)

    assert response.status_code == 200
    assert set(response.json()) == {"valid", "resolved_spec", "plan", "warnings"}
    assert response.json()["valid"] is True
    assert num_jobs() == 0


def test_a_repeated_key_gets_the_first_answer(client: TestClient, num_jobs: Any, spec: dict[str, Any]) -> None:
    headers = {"Idempotency-Key": "once"}

    first = client.post("/v1/jobs", json=spec, headers=headers)
    second = client.post("/v1/jobs", json=dict(reversed(spec.items())), headers=headers)

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second.headers["location"] == first.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert num_jobs() == 1


@pytest.mark.parametrize("query", ["", "?validate_only=true"])
def test_a_key_with_another_body_is_refused(
    query: str, client: TestClient, num_jobs: Any, problem_of: Any, spec: dict[str, Any]
) -> None:
    headers = {"Idempotency-Key": "once"}
    client.post("/v1/jobs", json=spec, headers=headers)

    response = client.post(f"/v1/jobs{query}", json={**spec, "name": "other"}, headers=headers)

    problem = problem_of(response, 422, "idempotency_mismatch")
    assert problem["errors"][0]["parameter"] == "Idempotency-Key"
    assert num_jobs() == 1


def test_a_list_has_summaries_and_pages(client: TestClient, spec: dict[str, Any]) -> None:
    ids = [client.post("/v1/jobs", json=spec).json()["id"] for _ in range(3)]

    first = client.get("/v1/jobs", params={"limit": 2, "sort": "created_at"}).json()
    second = client.get("/v1/jobs", params={"limit": 2, "sort": "created_at", "after": first["next_after"]}).json()

    assert [job["id"] for job in first["data"] + second["data"]] == ids
    assert (first["has_more"], second["has_more"], second["next_after"]) == (True, False, None)
    assert not {"spec", "resolved_spec", "plan", "transitions"} & set(first["data"][0])


@pytest.mark.parametrize(
    ("query", "num_found"),
    [
        ("state=queued,running", 1),
        ("state=running", 0),
        ("label=team:vision", 1),
        ("label=team:vision&label=x:y", 0),
        ("name=tiny", 1),
        ("name=other", 0),
        ("created_after=2020-01-01T00:00:00Z", 1),
        ("created_before=2020-01-01T00:00:00Z", 0),
    ],
)
def test_a_list_is_filtered(query: str, num_found: int, client: TestClient, spec: dict[str, Any]) -> None:
    client.post("/v1/jobs", json=spec)

    assert len(client.get(f"/v1/jobs?{query}").json()["data"]) == num_found


@pytest.mark.parametrize(
    ("query", "parameter", "said"),
    [
        ("state=runing", "state", "Did you mean 'running'?"),
        ("label=team", "label", "key:value"),
        ("limit=0", "limit", "greater"),
        ("limit=1001", "limit", "less"),
        ("limit=many", "limit", "whole number"),
        ("sort=size", "sort", "created_at"),
        ("after=nonsense", "after", "next_after"),
        ("created_after=yesterday", "created_after", "datetime"),
        ("created_after=2026-01-01T00:00:00", "created_after", "timezone"),
        ("lable=a:b", "lable", "Did you mean 'label'?"),
        ("x=1", "x", "Remove it"),
    ],
)
def test_a_wrong_parameter_is_named(query: str, parameter: str, said: str, client: TestClient, problem_of: Any) -> None:
    problem = problem_of(client.get(f"/v1/jobs?{query}"), 422, "invalid_parameter")

    assert problem["errors"][0]["parameter"] == parameter
    assert said in problem["errors"][0]["message"]


def test_an_etag_changes_with_the_job_alone(
    client: TestClient, services: Services, running: tuple[str, int], add_metrics: Any
) -> None:
    job_id, run_id = running
    path = f"/v1/jobs/{job_id}"
    etag = client.get(path).headers["etag"]

    services.store.renew(run_id)
    after_heartbeat = client.get(path, headers={"If-None-Match": etag})
    client.post(f"{path}/cancel")
    after_change = client.get(path, headers={"If-None-Match": etag})

    assert (after_heartbeat.status_code, after_heartbeat.content) == (304, b"")
    assert after_heartbeat.headers["etag"] == etag
    assert after_change.status_code == 200
    assert after_change.headers["etag"] != etag


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("job_id", ["job_00000000000000000000000000", "nonsense", "%00"])
def test_an_unknown_id_is_a_404(method: str, job_id: str, client: TestClient, problem_of: Any) -> None:
    problem_of(client.request(method, f"/v1/jobs/{job_id}"), 404, "job_not_found")


@pytest.mark.parametrize("path", ["", "/metrics", "/events", "/report", "/artifacts", "/artifacts/log.txt"])
def test_another_tenants_job_is_a_404(
    path: str, client: TestClient, problem_of: Any, finished: str, stranger: str
) -> None:
    headers = {"Authorization": f"Bearer {stranger}"}

    response = client.get(f"/v1/jobs/{finished}{path}", headers=headers)

    problem_of(response, 404, "job_not_found")
    assert client.get("/v1/jobs", headers=headers).json()["data"] == []


def test_a_queued_job_is_cancelled_at_once_and_again_harmlessly(client: TestClient, spec: dict[str, Any]) -> None:
    job_id = client.post("/v1/jobs", json=spec).json()["id"]

    answers = [client.post(f"/v1/jobs/{job_id}/cancel") for _ in range(2)]

    assert [(one.status_code, one.json()["state"]) for one in answers] == [(202, "cancelled")] * 2
    assert answers[0].json()["state_reason"]["code"] == "cancelled_by_user"


def test_a_running_job_is_cancelling(client: TestClient, running: tuple[str, int]) -> None:
    response = client.post(f"/v1/jobs/{running[0]}/cancel", json={})

    assert (response.status_code, response.json()["state"]) == (202, "cancelling")


def test_a_job_that_has_succeeded_cannot_be_cancelled(client: TestClient, finished: str, problem_of: Any) -> None:
    problem = problem_of(client.post(f"/v1/jobs/{finished}/cancel"), 409, "illegal_action")

    assert "succeeded" in problem["detail"]


def test_cancel_takes_no_body(client: TestClient, running: tuple[str, int], problem_of: Any) -> None:
    problem = problem_of(client.post(f"/v1/jobs/{running[0]}/cancel", json={"force": 1}), 422, "invalid_body")

    assert problem["errors"][0]["pointer"] == "/force"
    assert client.get(f"/v1/jobs/{running[0]}").json()["state"] == "running"


def test_a_queued_job_is_paused_and_resumed_at_once(client: TestClient, spec: dict[str, Any]) -> None:
    path = f"/v1/jobs/{client.post('/v1/jobs', json=spec).json()['id']}"

    paused = [client.post(f"{path}/pause") for _ in range(2)]
    resumed = [client.post(f"{path}/resume") for _ in range(2)]

    assert [(one.status_code, one.json()["state"]) for one in paused] == [(202, "paused")] * 2
    assert paused[0].json()["state_reason"]["code"] == "paused_by_user"
    assert [(one.status_code, one.json()["state"]) for one in resumed] == [(202, "queued")] * 2
    assert [step["state"] for step in resumed[1].json()["transitions"]] == ["queued", "paused", "queued"]


def test_a_running_job_is_pausing_and_may_be_resumed_or_cancelled(client: TestClient, running: tuple[str, int]) -> None:
    path = f"/v1/jobs/{running[0]}"

    answers = [client.post(f"{path}/{action}") for action in ("resume", "pause", "resume", "cancel")]

    assert [(one.status_code, one.json()["state"]) for one in answers] == [
        (202, "running"),
        (202, "pausing"),
        (202, "pausing"),
        (202, "cancelling"),
    ]


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_a_job_that_has_ended_can_be_neither_paused_nor_resumed(
    client: TestClient, finished: str, problem_of: Any, action: str
) -> None:
    problem = problem_of(client.post(f"/v1/jobs/{finished}/{action}"), 409, "illegal_action")

    assert f"Cannot {action} a job that is succeeded" in problem["detail"]


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_a_strangers_job_can_be_neither_paused_nor_resumed(
    client: TestClient, stranger: str, running: tuple[str, int], problem_of: Any, action: str
) -> None:
    headers = {"Authorization": f"Bearer {stranger}"}

    problem_of(client.post(f"/v1/jobs/{running[0]}/{action}", headers=headers), 404, "job_not_found")

    assert client.get(f"/v1/jobs/{running[0]}").json()["state"] == "running"


def test_a_pause_with_a_key_is_repeated_and_not_done_again(client: TestClient, spec: dict[str, Any]) -> None:
    path = f"/v1/jobs/{client.post('/v1/jobs', json=spec).json()['id']}"
    headers = {"Idempotency-Key": "pause-1"}

    first = client.post(f"{path}/pause", headers=headers)
    client.post(f"{path}/resume")
    again = client.post(f"{path}/pause", headers=headers)

    assert again.json() == first.json()
    assert client.get(path).json()["state"] == "queued"


def test_a_job_that_has_ended_can_be_deleted(client: TestClient, finished: str) -> None:
    response = client.delete(f"/v1/jobs/{finished}")

    assert (response.status_code, response.content) == (204, b"")
    assert client.get(f"/v1/jobs/{finished}").status_code == 404


def test_a_job_that_runs_cannot_be_deleted(client: TestClient, running: tuple[str, int], problem_of: Any) -> None:
    problem = problem_of(client.delete(f"/v1/jobs/{running[0]}"), 409, "illegal_action")

    assert "Cancel it first" in problem["detail"]


def test_a_job_that_is_not_there_is_answered_with_the_newest_that_are(
    client: TestClient, spec: dict[str, Any], problem_of: Any
) -> None:
    ids = [client.post("/v1/jobs", json=spec).json()["id"] for _ in range(4)]

    problem = problem_of(client.get("/v1/jobs/job_1"), 404, "job_not_found")

    assert f"The newest that there are: {', '.join(ids[:0:-1])}." in problem["detail"]


def test_a_source_that_is_not_there_is_named_beside_a_wrong_field(
    client: TestClient, spec: dict[str, Any], problem_of: Any
) -> None:
    wrong = {**spec, "init_from": {"job_id": "job_" + "0" * 26}, "priority": "urgent"}

    problem = problem_of(client.post("/v1/jobs", json=wrong), 422, "invalid_spec")

    assert [error["pointer"] for error in problem["errors"]] == ["/priority", "/init_from/job_id"]
