from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.services import Services
from api.sources import check_sources
from regcore.errors import SpecError
from regcore.plan import Plan, make_plan
from regcore.spec import parse_spec

NOBODY = "job_00000000000000000000000000"


def plan_from(spec: dict[str, Any], job_id: str | None, **changes: Any) -> Plan:
    init_from = {"job_id": job_id} if job_id else None
    return make_plan(parse_spec({**spec, **changes, "init_from": init_from}))


def test_weights_that_fit_are_accepted_whatever_else_differs(
    services: Services, trained: str, spec: dict[str, Any]
) -> None:
    other = plan_from(spec, trained, regularizers=[], training={"epochs": 7, "precision": "float64"})

    check_sources(services, "default", [other, plan_from(spec, None)])


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
    other = plan_from(spec, trained, model={"kind": "mlp", "hidden": hidden})

    with pytest.raises(SpecError, match=said):
        check_sources(services, "default", [other])


def test_a_parameter_that_only_the_source_has_is_named(services: Services, trained: str, spec: dict[str, Any]) -> None:
    linear = {"kind": "layers", "layers": [{"kind": "linear", "features": 8, "bias": False}, {"kind": "linear"}]}

    with pytest.raises(SpecError, match=r"linear1\.bias is not here, and has shape 8 there"):
        check_sources(services, "default", [plan_from(spec, trained, model=linear)])


def test_a_job_that_is_not_there_and_another_tenants_are_alike(
    services: Services, trained: str, spec: dict[str, Any]
) -> None:
    with pytest.raises(SpecError) as unknown:
        check_sources(services, "default", [plan_from(spec, NOBODY)])
    with pytest.raises(SpecError) as foreign:
        check_sources(services, "other", [plan_from(spec, trained)])

    own = f" The newest that there are: {trained}."
    messages = {str(unknown.value).replace(NOBODY, "it").replace(own, ""), str(foreign.value).replace(trained, "it")}
    assert messages == {
        "/init_from/job_id: init_from.job_id must name one of your jobs. There is no job 'it'. Correct the id."
    }
    assert own in str(unknown.value)


def test_a_job_must_have_succeeded(services: Services, running: tuple[str, int], spec: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="must name a job that succeeded; it is running"):
        check_sources(services, "default", [plan_from(spec, running[0])])


def test_a_job_must_still_have_its_weights(services: Services, finished: str, spec: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"has its model\.safetensors; it has none"):
        check_sources(services, "default", [plan_from(spec, finished)])


def test_the_error_points_to_where_the_spec_lies(services: Services, spec: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as caught:
        check_sources(services, "default", [plan_from(spec, None), plan_from(spec, NOBODY)], at="/base")

    assert [error.pointer for error in caught.value.errors] == ["/base/init_from/job_id"]


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
    ("path", "pointer"), [("/v1/jobs", "/init_from/job_id"), ("/v1/sweeps", "/base/init_from/job_id")]
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
    body = {**spec, "init_from": {"job_id": trained}}

    response = client.post(path, json=body if path == "/v1/jobs" else {"base": body, "seeds": [0]})

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
