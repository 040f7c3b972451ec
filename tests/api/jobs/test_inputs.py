from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.jobs.inputs import input_check
from api.services import Services
from regcore.errors import FieldError
from regcore.plan import make_plan

NOBODY = "job_00000000000000000000000000"


def wrong_with(
    services: Services, spec: dict[str, Any], job_id: str | None, tenant: str = "default", **changes: Any
) -> list[FieldError]:
    """What is wrong with a spec that begins with a job's weights."""
    body = {**spec, **changes, "init_from": {"job_id": job_id} if job_id else None}
    return input_check(services, tenant)(body, make_plan(body))


def test_weights_that_fit_are_accepted_whatever_else_differs(
    services: Services, trained: str, spec: dict[str, Any]
) -> None:
    changes = {"regularizers": [], "training": {"epochs": 7, "precision": "float64"}}

    assert wrong_with(services, spec, trained, **changes) == []
    assert wrong_with(services, spec, None) == []


@pytest.mark.parametrize("query", ["", "?validate_only=true"])
def test_a_spec_with_weights_that_do_not_fit_is_refused_on_submission(
    query: str, client: TestClient, problem_of: Any, trained: str, spec: dict[str, Any]
) -> None:
    other = {**spec, "model": {"kind": "mlp", "hidden": [9]}, "init_from": {"job_id": trained}}

    problem = problem_of(client.post(f"/v1/jobs{query}", json=other), 422, "invalid_spec")

    (error,) = problem["errors"]
    assert (error["pointer"], error["code"]) == ("/init_from/job_id", "parameters_differ")
    assert "linear1.weight has shape 9×64 here, and has shape 8×64 there" in error["message"]


@pytest.mark.parametrize(
    ("hidden", "said"),
    [([8, 8], "linear2.weight has shape 8×8 here, and is not there"), ([9], "linear1.weight has shape 9×64 here")],
)
def test_the_first_parameter_that_differs_is_named(
    hidden: list[int], said: str, services: Services, trained: str, spec: dict[str, Any]
) -> None:
    (error,) = wrong_with(services, spec, trained, model={"kind": "mlp", "hidden": hidden})

    assert said in error.message


def test_a_parameter_that_only_the_source_has_is_named(services: Services, trained: str, spec: dict[str, Any]) -> None:
    linear = {"kind": "layers", "layers": [{"kind": "linear", "features": 8, "bias": False}, {"kind": "linear"}]}

    (error,) = wrong_with(services, spec, trained, model=linear)

    assert "linear1.bias is not here, and has shape 8 there" in error.message


def test_a_job_that_is_not_there_and_another_tenants_are_alike(
    services: Services, trained: str, spec: dict[str, Any]
) -> None:
    (unknown,) = wrong_with(services, spec, NOBODY)
    (foreign,) = wrong_with(services, spec, trained, "other")

    own = f" The newest that there are: {trained}."
    messages = {unknown.message.replace(NOBODY, "it").replace(own, ""), foreign.message.replace(trained, "it")}
    assert messages == {"init_from.job_id must name one of your jobs. There is no job 'it'. Correct the id."}
    assert own in unknown.message


def test_a_job_must_have_succeeded(services: Services, running: tuple[str, int], spec: dict[str, Any]) -> None:
    (error,) = wrong_with(services, spec, running[0])

    assert "must name a job that succeeded; it is running" in error.message


def test_a_job_must_still_have_its_weights(services: Services, finished: str, spec: dict[str, Any]) -> None:
    (error,) = wrong_with(services, spec, finished)

    assert "has its model.safetensors; it has none" in error.message


def taught_by(job_id: str) -> dict[str, Any]:
    return {"kind": "knowledge_distillation", "teacher": {"job_id": job_id}}


@pytest.mark.parametrize(
    ("who", "changes", "code", "said"),
    [
        ("nobody", {}, "job_not_found", "regularizers.1.teacher.job_id must name one of your jobs"),
        ("running", {}, "job_not_succeeded", "must name a job that succeeded; it is running"),
        (
            "trained",
            {"data": {"kind": "builtin", "name": "wine"}},
            "model_differs",
            "the teacher differs from this job in its classes and its input shape",
        ),
        ("trained", {}, None, ""),
    ],
)
def test_a_teacher_must_be_there_and_fit(
    who: str,
    changes: dict[str, Any],
    code: str | None,
    said: str,
    client: TestClient,
    problem_of: Any,
    request: pytest.FixtureRequest,
    spec: dict[str, Any],
) -> None:
    named = {"nobody": lambda: NOBODY, "running": lambda: request.getfixturevalue("running")[0]}
    job_id = named.get(who, lambda: request.getfixturevalue("trained"))()
    body = {**spec, **changes, "regularizers": [{"kind": "l1", "strength": 1e-3}, taught_by(job_id)]}

    response = client.post("/v1/jobs", json=body)

    if code is None:
        assert response.status_code == 201
        return
    (error,) = problem_of(response, 422, "invalid_spec")["errors"]
    assert (error["pointer"], error["code"]) == ("/regularizers/1/teacher/job_id", code)
    assert said in error["message"]


def test_every_input_is_kept_for_as_long_as_the_job_may_need_it(
    client: TestClient, services: Services, problem_of: Any, trained: str, spec: dict[str, Any]
) -> None:
    child = client.post("/v1/jobs", json={**spec, "regularizers": [taught_by(trained)]}).json()

    problem = problem_of(client.delete(f"/v1/jobs/{trained}"), 409, "illegal_action")

    assert f"needed by {child['id']} (queued)" in problem["detail"]


def sweep_errors(client: TestClient, problem_of: Any, body: dict[str, Any]) -> list[tuple[str, str]]:
    """Where a sweep is wrong, and how; the same is said where it is only checked."""
    said, said_too = (
        problem_of(client.post(f"/v1/sweeps{query}", json=body), 422, "invalid_spec")["errors"]
        for query in ("", "?validate_only=true")
    )
    assert said == said_too
    return [(error["pointer"], error["code"]) for error in said]


@pytest.mark.parametrize(
    ("changes", "elsewhere"),
    [
        ({}, []),
        ({"priority": "urgent"}, [("/base/priority", "unknown_value")]),
        ({"model": {"kind": "mlp", "hidden": [0]}}, [("/base/model/hidden/0", "out_of_range")]),
    ],
)
@pytest.mark.parametrize(
    ("fields", "also"),
    [
        ({"seeds": [0, 1]}, []),
        ({"seeds": [0], "axes": [{"pointer": "/nowhere/at/all", "values": [1, 2]}]}, [("/axes/0/pointer", "")]),
        ({"seeds": [0], "axes": [{"pointer": "/training/epochs", "values": [2, -1]}]}, [("/axes/0/values/1", "")]),
        ({"seeds": [0], "objective": {"metric": "test/nothing"}}, [("/objective/metric", "unknown_value")]),
        ({"seeds": ["x"]}, [("/seeds/0", "")]),
    ],
)
def test_a_source_of_the_base_is_named_with_whatever_else_is_wrong(
    client: TestClient,
    problem_of: Any,
    spec: dict[str, Any],
    changes: dict[str, Any],
    elsewhere: list[tuple[str, str]],
    fields: dict[str, Any],
    also: list[tuple[str, str]],
) -> None:
    base = {**spec, **changes, "init_from": {"job_id": NOBODY}}

    found = dict(sweep_errors(client, problem_of, {"base": base, **fields}))

    assert found.pop("/base/init_from/job_id") == "job_not_found"
    assert found.keys() >= dict(elsewhere).keys()
    if not elsewhere:  # a wrong base tells nothing of its members
        assert found.keys() == dict(also).keys()


def test_each_source_of_an_axis_is_named_where_it_stands(
    client: TestClient, problem_of: Any, spec: dict[str, Any], trained: str
) -> None:
    waits = client.post("/v1/jobs", json=spec).json()["id"]
    sources = [None, {"job_id": NOBODY}, {"job_id": trained}, {"job_id": waits}]
    axes = [{"pointer": "/init_from", "values": sources}]

    alone = sweep_errors(client, problem_of, {"base": spec, "axes": axes, "seeds": [0]})
    axes.append({"pointer": "/training/epochs", "values": [2, -1]})
    beside = sweep_errors(client, problem_of, {"base": spec, "axes": axes, "seeds": [0]})

    assert alone == [("/axes/0/values/1/job_id", "job_not_found"), ("/axes/0/values/3/job_id", "job_not_succeeded")]
    assert [pointer for pointer, _ in beside] == ["/axes/1/values/1", *(pointer for pointer, _ in alone)]


def test_weights_must_fit_each_combination(
    client: TestClient, problem_of: Any, spec: dict[str, Any], trained: str
) -> None:
    base = {**spec, "init_from": {"job_id": trained}}
    axes = [{"pointer": "/model/hidden", "values": [[8], [9]]}]

    response = client.post("/v1/sweeps", json={"base": base, "axes": axes, "seeds": [0]})

    (error,) = problem_of(response, 422, "invalid_spec")["errors"]
    assert (error["pointer"], error["code"]) == ("/base/init_from/job_id", "parameters_differ")
    assert "With /model/hidden = [9]: " in error["message"]


def test_weights_that_the_disk_has_lost_are_said_on_submission(
    client: TestClient, services: Services, problem_of: Any, trained: str, spec: dict[str, Any]
) -> None:
    row = services.store.artifact("default", trained, "model.safetensors")
    services.artifacts.path(row.sha256).write_bytes(b"w")

    response = client.post("/v1/jobs", json={**spec, "init_from": {"job_id": trained}})

    (error,) = problem_of(response, 422, "invalid_spec")["errors"]
    assert (error["pointer"], error["code"]) == ("/init_from/job_id", "no_weights")
    assert "its file has 1 bytes instead of 7" in error["message"]


@pytest.mark.parametrize("how", ["submit", "rerun", "sweep"])
def test_a_parent_is_kept_for_its_child_and_goes_after_it(
    how: str, client: TestClient, problem_of: Any, trained: str, spec: dict[str, Any]
) -> None:
    body = {**spec, "init_from": {"job_id": trained}}
    if how == "submit":
        child = client.post("/v1/jobs", json=body).json()
    elif how == "rerun":
        child = client.post(f"/v1/jobs/{trained}/rerun", json={"start_from": "weights"}).json()
    else:
        child = client.post("/v1/sweeps", json={"base": body, "seeds": [0, 1]}).json()

    problem = problem_of(client.delete(f"/v1/jobs/{trained}"), 409, "illegal_action")

    named = child["id"] if how != "sweep" else child["leaderboard"][0]["job_ids"][0]
    assert f"needed by {named} (queued)" in problem["detail"]
    assert client.get(f"/v1/jobs/{trained}/artifacts/model.safetensors").status_code == 200
    client.post(f"/v1/{'sweeps' if how == 'sweep' else 'jobs'}/{child['id']}/cancel")
    assert client.delete(f"/v1/jobs/{trained}").status_code == 204


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/v1/jobs", "/init_from/job_id"),
        ("/v1/sweeps", "/base/init_from/job_id"),
        ("/v1/sweeps", "/axes/0/values/1/job_id"),
    ],
)
def test_a_source_that_is_deleted_just_now_is_said_like_one_that_is_not_there(
    path: str,
    pointer: str,
    client: TestClient,
    services: Services,
    problem_of: Any,
    trained: str,
    spec: dict[str, Any],
    num_jobs: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "submit" if path == "/v1/jobs" else "submit_sweep"
    store = getattr(services.store, name)

    def delete_first(*arguments: Any) -> Any:
        services.store.delete("default", trained)
        return store(*arguments)

    monkeypatch.setattr(type(services.store), name, lambda _, *arguments: delete_first(*arguments))
    source = {"job_id": trained}
    body = {
        "/init_from/job_id": {**spec, "init_from": source},
        "/base/init_from/job_id": {"base": {**spec, "init_from": source}, "seeds": [0]},
        "/axes/0/values/1/job_id": {
            "base": spec,
            "axes": [{"pointer": "/init_from", "values": [None, source]}],
            "seeds": [0],
        },
    }[pointer]

    response = client.post(path, json=body)

    (error,) = problem_of(response, 422, "invalid_spec")["errors"]
    assert (error["pointer"], error["code"]) == (pointer, "job_not_found")
    assert num_jobs() == 0


def test_a_rerun_of_a_job_that_is_deleted_just_now_is_a_404(
    client: TestClient, services: Services, problem_of: Any, trained: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = services.store.submit

    def delete_first(*arguments: Any) -> Any:
        services.store.delete("default", trained)
        return submit(*arguments)

    monkeypatch.setattr(type(services.store), "submit", lambda _, *arguments: delete_first(*arguments))

    problem_of(client.post(f"/v1/jobs/{trained}/rerun", json={"start_from": "weights"}), 404, "job_not_found")
