from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from api.services import Services
from jobs.states import JobState

Json = dict[str, Any]
STRENGTH = "/regularizers/0/strength"


def submit(client: TestClient, spec: Json) -> Json:
    response = client.post("/v1/sweeps", json=spec)
    assert response.status_code == 201, response.text
    sweep: Json = response.json()
    return sweep


def result(loss: float, **more: Any) -> Json:
    metrics = {"train/loss": loss / 2, "validation/loss": loss, "test/loss": loss + 1, "test/accuracy": 1 - loss}
    return {"metrics": metrics, "generalization_gap": 0.5, "sparsity": 0.25, "norms": {"l1": 2.0, "l2": 1.0}} | more


def pointers(problem: Json) -> list[str]:
    return [error["pointer"] for error in problem["errors"]]


def test_a_sweep_is_submitted_with_all_its_members(client: TestClient, sweep_spec: Json) -> None:
    response = client.post("/v1/sweeps", json=sweep_spec)

    sweep = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/v1/sweeps/{sweep['id']}"
    assert (sweep["state"], sweep["num_members"], sweep["counts"]["queued"], sweep["best"]) == ("queued", 6, 6, None)
    assert sweep["spec"]["objective"] == {"metric": "validation/loss", "mode": "min"}
    assert sweep["spec"]["base"] == sweep_spec["base"]
    assert client.get(f"/v1/sweeps/{sweep['id']}").json() == sweep


def test_members_are_ordinary_jobs(client: TestClient, sweep_spec: Json) -> None:
    sweep = submit(client, sweep_spec)

    page = client.get("/v1/jobs", params={"sweep_id": sweep["id"], "sort": "created_at"}).json()

    places = [job["sweep"] for job in page["data"]]
    assert [(place["values"][STRENGTH], place["seed"]) for place in places] == [
        (strength, seed) for strength in (1e-4, 1e-3, 1e-2) for seed in (0, 1)
    ]
    assert places[0] == {"id": sweep["id"], "variant": None, "values": {STRENGTH: 1e-4}, "seed": 0}
    job = client.get(f"/v1/jobs/{page['data'][3]['id']}").json()
    assert job["resolved_spec"]["regularizers"][0]["strength"] == 1e-3
    assert job["resolved_spec"]["training"]["seed"] == 1
    assert (job["name"], job["labels"]) == ("tiny", {"team": "vision"})
    assert client.post("/v1/jobs", json=job["resolved_spec"]).status_code == 201


def test_a_wrong_member_refuses_the_whole_sweep(
    client: TestClient, sweep_spec: Json, num_jobs: Any, problem_of: Any
) -> None:
    sweep_spec["axes"][0]["values"][2] = -1

    problem = problem_of(client.post("/v1/sweeps", json=sweep_spec), 422, "invalid_spec")

    assert pointers(problem) == ["/axes/0/values/2"]
    assert num_jobs() == 0
    assert client.get("/v1/sweeps").json()["data"] == []


@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        (
            "base",
            {"data": {"kind": "builtin", "name": "digits"}, "regularizers": [{"kind": "l1", "strength": 0.1}]},
            "/base/model",
        ),
        ("objective", {"metric": "test/loss"}, "/objective/metric"),
        ("strategy", {"kind": "grit"}, "/strategy/kind"),
        ("seeds", [0, 0], "/seeds/1"),
        ("axes", [{"pointer": "/training", "values": [5]}], "/axes/0/values/0"),
        ("axes", [{"pointer": "/data/validation_fraction", "values": [0.2, 0]}], "/axes/0/values/1"),
        ("axes", [{"pointer": "/task/class_weights", "values": [None, "balanced"]}], "/axes/0/values/1"),
        ("variants", [{"name": "v", "patch": [{"op": "replace", "path": "", "value": {}}]}], "/axes/0/pointer"),
        ("strategy", {"kind": "halving", "min_epochs": 1000}, "/strategy/min_epochs"),
    ],
)
def test_wrong_places_are_named(
    field: str, value: Any, pointer: str, client: TestClient, sweep_spec: Json, problem_of: Any
) -> None:
    sweep_spec[field] = value

    problem = problem_of(client.post("/v1/sweeps", json=sweep_spec), 422, "invalid_spec")

    assert pointers(problem) == [pointer]


def test_weights_to_begin_with_are_checked_for_every_member(
    client: TestClient, sweep_spec: Json, trained: str, problem_of: Any
) -> None:
    sweep_spec["base"]["init_from"] = {"job_id": trained}
    assert client.post("/v1/sweeps", json=sweep_spec).status_code == 201
    sweep_spec["axes"] = [{"pointer": "/model/hidden", "values": [[8], [9]]}]

    problem = problem_of(client.post("/v1/sweeps", json=sweep_spec), 422, "invalid_spec")

    assert pointers(problem) == ["/base/init_from/job_id"]


def test_more_members_than_the_server_takes_are_refused(client: TestClient, sweep_spec: Json, problem_of: Any) -> None:
    sweep_spec["axes"][0] = {"pointer": STRENGTH, "range": {"kind": "log", "low": 1e-9, "high": 1, "num_points": 5001}}

    problem = problem_of(client.post("/v1/sweeps", json=sweep_spec), 422, "invalid_spec")

    assert "10,000" in problem["detail"]
    assert "10,002" in problem["detail"]


def test_a_seed_that_no_split_can_have_stores_nothing(
    client: TestClient, sweep_spec: Json, num_jobs: Any, problem_of: Any
) -> None:
    sweep_spec |= {"seeds": [0, 2**32], "vary_split": True}

    problem = problem_of(client.post("/v1/sweeps", json=sweep_spec), 422, "invalid_spec")

    assert pointers(problem) == ["/seeds/1"]
    assert num_jobs() == 0


def test_trials_that_fall_together_are_told_with_the_sweep(client: TestClient, sweep_spec: Json) -> None:
    sweep_spec |= {"strategy": {"kind": "random", "num_trials": 40}}

    checked = client.post("/v1/sweeps", params={"validate_only": "true"}, json=sweep_spec).json()
    sweep = submit(client, sweep_spec)

    assert [one["code"] for one in sweep["warnings"]] == ["fewer_trials"]
    assert sweep["warnings"][0] in checked["warnings"]
    assert client.get(f"/v1/sweeps/{sweep['id']}").json()["warnings"] == sweep["warnings"]


def test_validating_stores_nothing(client: TestClient, sweep_spec: Json, num_jobs: Any) -> None:
    response = client.post("/v1/sweeps", params={"validate_only": True}, json=sweep_spec)

    answer = response.json()
    assert (response.status_code, answer["valid"]) == (200, True)
    assert (answer["num_candidates"], answer["num_members"]) == (3, 6)
    assert answer["resolved_spec"]["strategy"] == {"kind": "grid"}
    assert num_jobs() == 0
    assert submit(client, answer["resolved_spec"])["num_members"] == 6


def test_the_same_key_gets_the_first_sweep_again(client: TestClient, sweep_spec: Json, problem_of: Any) -> None:
    headers = {"Idempotency-Key": "k"}
    first = client.post("/v1/sweeps", json=sweep_spec, headers=headers)
    again = client.post("/v1/sweeps", json=sweep_spec, headers=headers)

    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert len(client.get("/v1/sweeps").json()["data"]) == 1
    other = client.post("/v1/sweeps", json={**sweep_spec, "seeds": [5]}, headers=headers)
    problem_of(other, 422, "idempotency_mismatch")


@pytest.mark.parametrize("then", ["nothing", "cancel", "delete"])
def test_what_a_key_was_answered_at_first_stays_whatever_becomes_of_the_sweep(
    client: TestClient, sweep_spec: Json, then: str
) -> None:
    key = {"Idempotency-Key": "k"}
    first = client.post("/v1/sweeps", json=sweep_spec, headers=key)
    cancel = f"/v1/sweeps/{first.json()['id']}/cancel"
    cancelled = client.post(cancel, headers=key) if then != "nothing" else None
    if then == "delete":
        assert client.delete(f"/v1/sweeps/{first.json()['id']}").status_code == 204

    again = client.post("/v1/sweeps", json=sweep_spec, headers=key)

    assert (again.status_code, again.json()) == (201, first.json())
    if cancelled is not None:
        cancelled_again = client.post(cancel, headers=key)
        assert cancelled.json()["state"] == "cancelled"
        assert (cancelled_again.status_code, cancelled_again.json()) == (202, cancelled.json())


def test_sweeps_are_listed_as_summaries(client: TestClient, sweep_spec: Json) -> None:
    ids = [submit(client, {**sweep_spec, "name": name})["id"] for name in "ab"]

    first = client.get("/v1/sweeps", params={"limit": 1}).json()
    second = client.get("/v1/sweeps", params={"limit": 1, "after": first["next_after"]}).json()

    assert [page["data"][0]["id"] for page in (first, second)] == ids[::-1]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert not {"spec", "best", "leaderboard"} & set(first["data"][0])
    for params in ({"name": "a"}, {"label": "team:vision", "name": "a"}):
        assert [one["id"] for one in client.get("/v1/sweeps", params=params).json()["data"]] == ids[:1]
    assert client.get("/v1/sweeps", params={"label": "team:text"}).json()["data"] == []


def test_the_leaderboard_ranks_by_the_mean_over_seeds(client: TestClient, sweep_spec: Json, end_jobs: Any) -> None:
    sweep = submit(client, sweep_spec)
    job_ids = end_jobs([result(0.5), result(0.7), result(0.1), result(0.3), None, result(0.0)])

    seen = client.get(f"/v1/sweeps/{sweep['id']}").json()

    assert seen["state"] == "succeeded"
    assert [one["values"][STRENGTH] for one in seen["leaderboard"]] == [1e-3, 1e-4, 1e-2]
    assert [one["objective"]["mean"] for one in seen["leaderboard"]] == pytest.approx([0.2, 0.6, 0.0])
    assert seen["leaderboard"][2]["states"] == {"failed": 1, "succeeded": 1}
    best = seen["best"]
    assert (best["job_ids"], best["values"]) == (job_ids[2:4], {STRENGTH: 1e-3})
    assert best["spec"]["regularizers"][0]["strength"] == 1e-3
    assert client.post("/v1/jobs", json=best["spec"]).status_code == 201


def test_a_path_says_what_happens_along_the_axis(client: TestClient, sweep_spec: Json, end_jobs: Any) -> None:
    sweep = submit(client, sweep_spec)
    losses = [0.30, 0.34, 0.20, 0.40, 0.31, 0.36]
    end_jobs([result(loss, kkt_residual=loss, l1_max=7.0) for loss in losses])

    path = client.get(f"/v1/sweeps/{sweep['id']}/path").json()

    assert path["pointer"] == STRENGTH
    assert [point["value"] for point in path["points"]] == [1e-4, 1e-3, 1e-2]
    middle = path["points"][1]
    assert middle["metrics"]["validation/loss"]["value"] == pytest.approx(0.3)
    assert middle["metrics"]["validation/loss"]["low"] < 0.2
    assert middle["metrics"]["test/accuracy"]["value"] == pytest.approx(0.7)
    assert middle["norms"]["l2"]["value"] == 1.0
    assert (middle["sparsity"]["value"], middle["generalization_gap"]["value"]) == (0.25, 0.5)
    assert (middle["kkt_residual"], path["max_kkt_residual"], path["l1_max"]) == (0.4, 0.4, 7.0)
    assert path["best_value"] == 1e-3
    assert path["one_standard_error_value"] == 1e-2


def test_a_path_has_equal_numbers_once(client: TestClient, sweep_spec: Json, end_jobs: Any) -> None:
    sweep_spec["axes"][0]["values"] = [1, 1.0, 2]
    sweep = submit(client, sweep_spec)
    end_jobs([result(0.5)] * 4)

    path = client.get(f"/v1/sweeps/{sweep['id']}/path").json()

    assert [point["value"] for point in path["points"]] == [1, 2]


def test_a_path_can_be_looked_at_while_it_grows(client: TestClient, sweep_spec: Json, end_jobs: Any) -> None:
    sweep = submit(client, sweep_spec)
    end_jobs([result(0.5), None])

    path = client.get(f"/v1/sweeps/{sweep['id']}/path").json()

    assert [(point["num"], point["num_missing"]) for point in path["points"]] == [(1, 1), (0, 2), (0, 2)]
    assert "4 of 6 members have not ended" in path["note"]


@pytest.mark.parametrize(
    ("pointer", "values", "simplest"),
    [("/regularizers/0/patience", [2, 10, 50], 2), ("/optimizer/learning_rate", [0.01, 0.02, 0.03], None)],
)
def test_the_simplest_value_lies_where_its_regularizer_says(
    pointer: str, values: list[float], simplest: float | None, client: TestClient, sweep_spec: Json, end_jobs: Any
) -> None:
    base = {**sweep_spec["base"], "regularizers": [{"kind": "early_stopping", "patience": 3}]}
    sweep = submit(client, {**sweep_spec, "base": base, "axes": [{"pointer": pointer, "values": values}]})
    end_jobs([result(loss) for loss in (0.500, 0.504, 0.499, 0.503, 0.500, 0.504)])

    path = client.get(f"/v1/sweeps/{sweep['id']}/path").json()

    assert (path["best_value"], path["one_standard_error_value"]) == (values[1], simplest)
    assert (path["note"] is None) == (simplest is not None)


def test_splits_drawn_anew_widen_what_a_sweep_shows(client: TestClient, sweep_spec: Json, end_jobs: Any) -> None:
    scores, points = [], []
    # Where seeds draw splits of their own, the first seed of every value comes first.
    for vary_split, losses in (
        (False, (0.30, 0.34, 0.20, 0.40, 0.31, 0.36)),
        (True, (0.30, 0.20, 0.31, 0.34, 0.40, 0.36)),
    ):
        sweep = submit(client, {**sweep_spec, "vary_split": vary_split})
        end_jobs([result(loss) for loss in losses])
        scores.append(client.get(f"/v1/sweeps/{sweep['id']}").json()["best"]["objective"])
        path = client.get(f"/v1/sweeps/{sweep['id']}/path").json()
        points.append(path["points"][1]["metrics"]["validation/loss"])

    for plain, anew in (scores, points):
        assert anew["high"] - anew["low"] > 1.1 * (plain["high"] - plain["low"])


def test_the_path_of_a_sweep_whose_members_are_deleted_before_it_is_empty(
    client: TestClient, services: Services, sweep_spec: Json, end_jobs: Any
) -> None:
    sweep = submit(client, sweep_spec)
    end_jobs([result(0.5)] * 6)
    services.store._delete_some(sweep["id"])

    path = client.get(f"/v1/sweeps/{sweep['id']}/path").json()

    assert (path["points"], path["best_value"]) == ([], None)


@pytest.mark.parametrize(
    ("change", "view"),
    [
        ({"axes": []}, "path"),
        ({"axes": [{"pointer": "/model/activation", "values": ["relu", "tanh"]}]}, "path"),
        ({}, "comparison"),
        ({}, "ablation"),
    ],
)
def test_what_a_sweep_does_not_have_is_a_conflict(
    change: Json, view: str, client: TestClient, sweep_spec: Json, end_jobs: Any, problem_of: Any
) -> None:
    sweep = submit(client, {**sweep_spec, **change})
    end_jobs([result(0.1)] * sweep["num_members"])

    problem = problem_of(client.get(f"/v1/sweeps/{sweep['id']}/{view}"), 409, "not_of_this_sweep")

    assert "Submit such a sweep" in problem["detail"] or "/v1/comparisons" in problem["detail"]


@pytest.mark.parametrize(
    ("change", "view"),
    [
        ({"axes": [], "variants": [{"name": "a"}, {"name": "b"}]}, "comparison"),
        ({"axes": [], "strategy": {"kind": "ablation"}}, "ablation"),
    ],
)
def test_verdicts_wait_for_the_end(
    change: Json, view: str, client: TestClient, sweep_spec: Json, problem_of: Any
) -> None:
    sweep = submit(client, {**sweep_spec, **change})

    problem = problem_of(client.get(f"/v1/sweeps/{sweep['id']}/{view}"), 409, "illegal_action")

    assert "queued" in problem["detail"]


def test_a_sweep_is_cancelled_with_its_members(client: TestClient, sweep_spec: Json, end_jobs: Any) -> None:
    sweep = submit(client, sweep_spec)
    (done,) = end_jobs([result(0.5)])

    response = client.post(f"/v1/sweeps/{sweep['id']}/cancel", headers={"Idempotency-Key": "k"})
    again = client.post(f"/v1/sweeps/{sweep['id']}/cancel", headers={"Idempotency-Key": "k"})

    assert (response.status_code, response.json()["state"]) == (202, "cancelled")
    assert (again.status_code, again.json()["state"]) == (202, "cancelled")
    assert response.json()["counts"]["cancelled"] == 5
    assert client.get(f"/v1/jobs/{done}").json()["state"] == "succeeded"


def test_a_sweep_that_has_ended_cannot_be_cancelled(
    client: TestClient, sweep_spec: Json, end_jobs: Any, problem_of: Any
) -> None:
    sweep = submit(client, sweep_spec)
    end_jobs([result(0.5)] * 6)

    problem_of(client.post(f"/v1/sweeps/{sweep['id']}/cancel"), 409, "illegal_action")


def test_deleting_a_sweep_takes_its_members(
    client: TestClient, services: Services, sweep_spec: Json, end_jobs: Any, num_jobs: Any, problem_of: Any
) -> None:
    sweep = submit(client, sweep_spec)
    problem_of(client.delete(f"/v1/sweeps/{sweep['id']}"), 409, "illegal_action")
    end_jobs([result(0.5)] * 6)

    response = client.delete(f"/v1/sweeps/{sweep['id']}")

    assert (response.status_code, response.content) == (204, b"")
    assert num_jobs() == 0
    problem_of(client.get(f"/v1/sweeps/{sweep['id']}"), 404, "sweep_not_found")
    assert services.store.list("default").data == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/path"),
        ("GET", "/comparison"),
        ("GET", "/ablation"),
        ("POST", "/cancel"),
        ("DELETE", ""),
    ],
)
def test_another_tenants_sweep_is_as_good_as_none(
    method: str, path: str, client: TestClient, sweep_spec: Json, stranger: str, problem_of: Any
) -> None:
    sweep = submit(client, sweep_spec)
    headers = {"Authorization": f"Bearer {stranger}"}

    problem_of(client.request(method, f"/v1/sweeps/{sweep['id']}{path}", headers=headers), 404, "sweep_not_found")
    problem_of(client.request(method, f"/v1/sweeps/swp_none{path}"), 404, "sweep_not_found")
    assert client.get("/v1/sweeps", headers=headers).json()["data"] == []


def post_comparison(client: TestClient, groups: dict[str, list[str]], **fields: Any) -> httpx2.Response:
    listed = [{"name": name, "job_ids": job_ids} for name, job_ids in groups.items()]
    return client.post("/v1/comparisons", json={"groups": listed, **fields})


@pytest.fixture
def two_groups(client: TestClient, sweep_spec: Json, end_jobs: Any) -> dict[str, list[str]]:
    """Jobs of three seeds, of which one group is better by far."""
    axis = {"pointer": STRENGTH, "values": [1e-4, 1e-3]}
    submit(client, {**sweep_spec, "axes": [axis], "seeds": [0, 1, 2]})
    losses = (0.50, 0.51, 0.52, 0.10, 0.12, 0.11)
    job_ids = end_jobs([result(loss, rows={"test/loss": [loss + 0.9, loss + 1.1]}) for loss in losses])
    return {"weak": job_ids[:3], "strong": job_ids[3:]}


def test_any_jobs_can_be_compared(client: TestClient, two_groups: dict[str, list[str]]) -> None:
    response = post_comparison(client, two_groups)

    (difference,) = response.json()["differences"]
    assert response.status_code == 200
    assert (difference["baseline"], difference["group"], difference["verdict"]) == ("weak", "strong", "helps")
    assert difference["difference"]["value"] == pytest.approx(-0.4)
    assert (difference["paired"], difference["num_pairs"]) == (True, 3)
    assert response.json()["metric"] == "test/loss"


def test_a_comparison_with_a_key_is_repeatable(
    client: TestClient, two_groups: dict[str, list[str]], problem_of: Any
) -> None:
    body = {"groups": [{"name": name, "job_ids": ids} for name, ids in two_groups.items()]}
    headers = {"Idempotency-Key": "k"}
    first = client.post("/v1/comparisons", json=body, headers=headers)
    client.delete(f"/v1/jobs/{two_groups['weak'][0]}")

    again = client.post("/v1/comparisons", json=body, headers=headers)

    assert (again.status_code, again.json()) == (200, first.json())
    problem_of(
        client.post("/v1/comparisons", json={**body, "metric": "x"}, headers=headers), 422, "idempotency_mismatch"
    )


def test_cancelled_members_have_no_place_in_the_best(
    client: TestClient, services: Services, sweep_spec: Json, end_jobs: Any
) -> None:
    sweep = submit(client, sweep_spec)
    end_jobs([result(0.5), result(0.6)])
    client.post(f"/v1/sweeps/{sweep['id']}/cancel")

    seen = client.get(f"/v1/sweeps/{sweep['id']}").json()

    assert seen["best"]["values"] == {STRENGTH: 1e-4}
    assert [one["objective"]["mean"] for one in seen["leaderboard"][1:]] == [None, None]
    states = {job.state for job in services.store.list("default").data}
    assert states == {JobState.SUCCEEDED, JobState.CANCELLED}
