from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.jobs.reruns import plan_rerun
from api.services import Services
from jobs.model import Capabilities

STRONGER = {"op": "replace", "path": "/regularizers/0/strength", "value": 0.5}


def rerun(client: TestClient, job_id: str, query: str = "", **body: Any) -> Any:
    return client.post(f"/v1/jobs/{job_id}/rerun{query}", json=body)


def test_a_rerun_is_a_new_job_with_the_patch_applied(client: TestClient, finished: str) -> None:
    old = client.get(f"/v1/jobs/{finished}").json()

    response = rerun(client, finished, patch=[STRONGER])

    new = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/v1/jobs/{new['id']}"
    assert (new["state"], new["parent_job_id"]) == ("queued", finished)
    assert new["resolved_spec"]["regularizers"][0]["strength"] == 0.5
    new["resolved_spec"]["regularizers"][0]["strength"] = 1e-4
    assert new["resolved_spec"] == old["resolved_spec"]


@pytest.mark.parametrize("body", [None, {}, {"patch": []}, {"start_from": "scratch"}])
def test_without_a_patch_the_same_job_runs_again(body: Any, client: TestClient, finished: str) -> None:
    old = client.get(f"/v1/jobs/{finished}").json()

    new = client.post(f"/v1/jobs/{finished}/rerun", **({} if body is None else {"json": body})).json()

    assert new["id"] != finished
    assert new["resolved_spec"] == old["resolved_spec"]


def test_a_job_that_still_runs_may_be_run_again_from_scratch(client: TestClient, running: tuple[str, int]) -> None:
    assert rerun(client, running[0]).status_code == 201


def test_validate_only_answers_and_stores_nothing(client: TestClient, num_jobs: Any, finished: str) -> None:
    response = rerun(client, finished, "?validate_only=true", patch=[STRONGER])

    assert response.status_code == 200
    assert response.json()["resolved_spec"]["regularizers"][0]["strength"] == 0.5
    assert num_jobs() == 1


def test_a_repeated_key_gets_the_first_answer(client: TestClient, num_jobs: Any, finished: str) -> None:
    path, headers = f"/v1/jobs/{finished}/rerun", {"Idempotency-Key": "once"}

    first, second = (client.post(path, json={"patch": [STRONGER]}, headers=headers) for _ in range(2))
    other = client.post(path, json={}, headers=headers)

    assert second.json() == first.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert other.status_code == 422
    assert num_jobs() == 2


@pytest.mark.parametrize(
    ("body", "pointer", "said"),
    [
        ({"start_frm": "scratch"}, "/start_frm", "Did you mean 'start_from'?"),
        ({"start_from": "weight"}, "/start_from", "Did you mean 'weights'?"),
        ({"patch": [{"op": "replace", "path": "/nmae", "value": 1}]}, "/patch/0/path", "Did you mean 'name'?"),
        ({"patch": [{"op": "replac", "path": "/name"}]}, "/patch/0/op", "Did you mean 'replace'?"),
        ({"patch": {}}, "/patch", "must be a list"),
        ({"patch": [{"op": "replace", "path": "/training/epochs", "value": 0}]}, "/training/epochs", "at least 1"),
        ([], "", "must be a JSON object"),
    ],
)
def test_what_is_wrong_is_named(
    body: Any, pointer: str, said: str, client: TestClient, problem_of: Any, num_jobs: Any, finished: str
) -> None:
    problem = problem_of(client.post(f"/v1/jobs/{finished}/rerun", json=body), 422, "invalid_spec")

    assert problem["errors"][0]["pointer"] == pointer
    assert said in problem["errors"][0]["message"]
    assert num_jobs() == 1


@pytest.mark.parametrize("start_from", ["scratch", "weights", "checkpoint"])
def test_a_strangers_job_is_a_404(
    start_from: str, client: TestClient, problem_of: Any, stranger: str, trained: str
) -> None:
    headers = {"Authorization": f"Bearer {stranger}"}
    response = client.post(f"/v1/jobs/{trained}/rerun", json={"start_from": start_from}, headers=headers)

    problem_of(response, 404, "job_not_found")


def test_from_its_weights_a_job_begins_with_what_it_ended_with(client: TestClient, trained: str) -> None:
    new = rerun(client, trained, start_from="weights", patch=[STRONGER]).json()

    assert new["resolved_spec"]["init_from"] == {"job_id": trained}
    assert new["parent_job_id"] == trained


def test_a_job_that_has_not_succeeded_has_no_weights(
    client: TestClient, problem_of: Any, running: tuple[str, int]
) -> None:
    problem = problem_of(rerun(client, running[0], start_from="weights"), 409, "illegal_action")

    assert "this one is running. Wait until it has succeeded, or start from scratch." in problem["detail"]


def test_a_job_that_failed_will_never_have_weights(client: TestClient, problem_of: Any, stopped: str) -> None:
    problem = problem_of(rerun(client, stopped, start_from="weights"), 409, "illegal_action")

    assert problem["detail"].endswith("this one is cancelled. Start from scratch.")


def test_weights_must_fit_the_patched_model(client: TestClient, problem_of: Any, trained: str) -> None:
    wider = {"op": "replace", "path": "/model/hidden", "value": [9]}

    problem = problem_of(rerun(client, trained, start_from="weights", patch=[wider]), 422, "invalid_spec")

    assert problem["errors"][0]["code"] == "parameters_differ"


def test_from_its_checkpoint_a_job_goes_on(client: TestClient, services: Services, stopped: str) -> None:
    patch = [{"op": "replace", "path": "/name", "value": "again"}, {"op": "add", "path": "/labels/try", "value": "2"}]

    new = rerun(client, stopped, start_from="checkpoint", patch=patch).json()

    kept = services.store.get("default", new["id"]).checkpoint
    assert (new["name"], new["state"], new["parent_job_id"]) == ("again", "queued", stopped)
    assert kept is not None
    assert (kept["owner"], kept["step"]) == (stopped, 7)
    claimed = services.store.claim("wrk_test", Capabilities(frozenset({"cpu"})))
    assert claimed is not None
    assert claimed.jobs[0].checkpoint == kept


def test_a_checkpoint_keeps_the_job_that_made_it(client: TestClient, services: Services, stopped: str) -> None:
    between = rerun(client, stopped, start_from="checkpoint").json()["id"]
    services.store.request_cancel("default", between)

    last = plan_rerun(services, "default", services.store.get("default", between), {"start_from": "checkpoint"})

    assert last.checkpoint is not None
    assert last.checkpoint["owner"] == stopped


@pytest.mark.parametrize(
    ("operation", "pointer"),
    [
        (STRONGER, "/regularizers/0/strength"),
        ({"op": "replace", "path": "/training/epochs", "value": 9}, "/training/epochs"),
        ({"op": "replace", "path": "/model/hidden", "value": [9]}, "/model/hidden/0"),
        ({"op": "remove", "path": "/regularizers/0"}, "/regularizers"),
        ({"op": "replace", "path": "/optimizer", "value": {"kind": "adam"}}, "/optimizer/kind"),
    ],
)
def test_behind_a_checkpoint_what_is_trained_cannot_change(
    operation: Any, pointer: str, client: TestClient, problem_of: Any, stopped: str
) -> None:
    problem = problem_of(rerun(client, stopped, start_from="checkpoint", patch=[operation]), 422, "invalid_spec")

    error = problem["errors"][0]
    assert (error["pointer"], error["code"]) == (pointer, "decides_training")
    assert "start from scratch" in error["message"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/priority", "high"),
        ("/resources/max_runtime_s", 9),
        ("/training/checkpoint_every_s", 9),
        ("/fusion", "off"),
        ("/exports", []),
    ],
)
def test_behind_a_checkpoint_the_rest_may_change(path: str, value: Any, client: TestClient, stopped: str) -> None:
    operation = {"op": "replace", "path": path, "value": value}

    assert rerun(client, stopped, start_from="checkpoint", patch=[operation]).status_code == 201


def test_a_job_without_a_checkpoint_says_why_and_what_to_do(
    client: TestClient, problem_of: Any, finished: str, spec: dict[str, Any]
) -> None:
    queued = client.post("/v1/jobs", json=spec).json()["id"]

    succeeded = problem_of(rerun(client, finished, start_from="checkpoint"), 409, "illegal_action")
    waiting = problem_of(rerun(client, queued, start_from="checkpoint"), 409, "illegal_action")
    client.post(f"/v1/jobs/{queued}/cancel")
    never_saved = problem_of(rerun(client, queued, start_from="checkpoint"), 409, "illegal_action")

    assert "Use start_from weights" in succeeded["detail"]
    assert "goes on from its checkpoint by itself" in waiting["detail"]
    assert "Use start_from scratch" in never_saved["detail"]
