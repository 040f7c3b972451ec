from typing import Any

import pytest
from fastapi.testclient import TestClient

Json = dict[str, Any]
BODY: Json = {"data": {"kind": "builtin", "name": "wine"}, "budget_s": 25, "seeds": [0, 1, 2]}


def test_a_suggestion_can_be_submitted_as_it_is_and_stores_nothing(client: TestClient, num_jobs: Any) -> None:
    answer = client.post("/v1/sweep-suggestions", json=BODY)

    assert answer.status_code == 200, answer.text
    assert num_jobs() == 0
    said = answer.json()
    submitted = client.post("/v1/sweeps", json=said["sweep"])
    assert submitted.status_code == 201, submitted.text
    assert said["estimate_s"] > 0
    assert submitted.json()["spec"]["variants"][0]["name"] == "nothing"


def test_the_same_key_gives_the_same_answer(client: TestClient, problem_of: Any) -> None:
    headers = {"Idempotency-Key": "k"}
    first = client.post("/v1/sweep-suggestions", json=BODY, headers=headers)

    again = client.post("/v1/sweep-suggestions", json=BODY, headers=headers)

    assert (again.status_code, again.json()) == (200, first.json())
    other = client.post("/v1/sweep-suggestions", json=BODY | {"budget_s": 30}, headers=headers)
    problem_of(other, 422, "idempotency_mismatch")


@pytest.fixture
def ended(client: TestClient, end_jobs: Any) -> str:
    """A suggested sweep whose members have all succeeded: dropout and l2 are best, in this order."""
    body = client.post("/v1/sweep-suggestions", json=BODY).json()["sweep"]
    sweep = client.post("/v1/sweeps", json=body).json()
    page = client.get("/v1/jobs", params={"sweep_id": sweep["id"], "sort": "created_at", "limit": 1000}).json()
    costs = {"dropout": 0.1, "l2": 0.2, "nothing": 0.3, "constant": 1.0}
    in_turn = sorted(page["data"], key=lambda job: job["sweep"]["seed"])  # the first seed of every combination first
    losses = [costs.get(job["sweep"]["variant"], 0.5) + 0.01 * job["sweep"]["seed"] for job in in_turn]
    end_jobs([{"metrics": {"validation/loss": loss, "test/loss": loss}} for loss in losses])
    sweep_id: str = sweep["id"]
    return sweep_id


def test_after_a_sweep_comes_its_best_two_together(client: TestClient, ended: str, problem_of: Any) -> None:
    answer = client.post("/v1/sweep-suggestions", json={"after": ended, "budget_s": 600})

    names = [variant["name"] for variant in answer.json()["sweep"]["variants"]]
    assert names == ["nothing", "dropout", "l2", "dropout + l2"]
    assert client.post("/v1/sweeps", json=answer.json()["sweep"]).status_code == 201
    same = client.post("/v1/sweep-suggestions", json=BODY | {"after": ended, "budget_s": 600})
    assert same.status_code == 200
    other = {"after": ended, "budget_s": 600, "data": {"kind": "builtin", "name": "digits"}}
    problem = problem_of(client.post("/v1/sweep-suggestions", json=other), 422, "invalid_spec")
    assert [error["pointer"] for error in problem["errors"]] == ["/data"]


def test_a_comparison_with_one_baseline_compares_each_variant_with_it_alone(
    client: TestClient, ended: str, problem_of: Any
) -> None:
    path = f"/v1/sweeps/{ended}/comparison"

    said = client.get(path, params={"baseline": "nothing"}).json()

    names = [group["name"] for group in said["groups"]]
    assert [one["group"] for one in said["differences"]] == [name for name in names if name != "nothing"]
    assert {one["baseline"] for one in said["differences"]} == {"nothing"}
    problem = problem_of(client.get(path, params={"baseline": "no"}), 422, "invalid_parameter")
    assert [error["parameter"] for error in problem["errors"]] == ["baseline"]


def test_a_sweep_that_goes_on_has_none_after_it(client: TestClient, problem_of: Any) -> None:
    body = client.post("/v1/sweep-suggestions", json=BODY).json()["sweep"]
    sweep = client.post("/v1/sweeps", json=body).json()

    refused = client.post("/v1/sweep-suggestions", json={"after": sweep["id"], "budget_s": 60})

    problem = problem_of(refused, 422, "invalid_spec")
    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [("/after", "sweep_not_ended")]
