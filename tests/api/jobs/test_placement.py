from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.jobs.placement import placed
from api.services import Services
from jobs.model import Capabilities, WorkerInfo
from regcore.plan import make_plan

CPU = Capabilities(frozenset({"cpu"}))
GPU_OF_LAB = Capabilities(frozenset({"cpu", "cuda"}), "lab")


def waiting(client: TestClient, spec: dict[str, Any], **resources: Any) -> list[tuple[str, str, str]]:
    """What is said of the workers where a job is checked."""
    body = {**spec, "resources": resources}
    checked = client.post("/v1/jobs", params={"validate_only": "true"}, json=body).json()["warnings"]
    return [(one["code"], one["pointer"], one["message"]) for one in checked if one["code"].startswith("no_such_")]


@pytest.fixture
def workers(services: Services) -> None:
    services.store.register_worker(WorkerInfo("wrk_1", "node", CPU))
    services.store.register_worker(WorkerInfo("wrk_2", "node", GPU_OF_LAB))


@pytest.mark.parametrize(
    ("resources", "code", "there_is"),
    [
        ({"device": "cuda", "pool": "cellar"}, "no_such_pool", "there is lab"),
        ({"pool": "cellar"}, "no_such_pool", "there is lab"),
    ],
)
@pytest.mark.usefixtures("workers")
def test_a_pool_that_no_worker_is_of_is_told(
    client: TestClient, spec: dict[str, Any], resources: dict[str, Any], code: str, there_is: str
) -> None:
    ((found, pointer, message),) = waiting(client, spec, **resources)

    assert (found, pointer) == (code, "/resources/pool")
    assert there_is in message


@pytest.mark.parametrize("resources", [{}, {"device": "cuda"}, {"pool": "lab"}, {"device": "cpu", "pool": "lab"}])
@pytest.mark.usefixtures("workers")
def test_what_some_worker_can_take_needs_no_word(
    client: TestClient, spec: dict[str, Any], resources: dict[str, Any]
) -> None:
    assert waiting(client, spec, **resources) == []


def test_a_device_that_no_worker_has_is_told(client: TestClient, services: Services, spec: dict[str, Any]) -> None:
    without_any = waiting(client, spec, device="cuda")
    services.store.register_worker(WorkerInfo("wrk_1", "node", CPU))
    draining = WorkerInfo("wrk_2", "node", GPU_OF_LAB)
    services.store.register_worker(draining)
    services.store.beat_worker("wrk_2", [], draining=True)
    with_others = waiting(client, spec, device="cuda")

    assert [one[:2] for one in (*without_any, *with_others)] == [("no_such_device", "/resources/device")] * 2
    assert "there is none" in without_any[0][2]
    assert "there is cpu" in with_others[0][2]


@pytest.mark.parametrize(
    ("installed", "resources", "code", "there_is"),
    [
        ({"acme", "zeta"}, {}, None, ""),
        ({"zeta"}, {}, "no_such_plugin", "there is zeta"),
        (set(), {"pool": "lab"}, "no_such_plugin", "there is none"),
        ({"acme"}, {"device": "cuda"}, "no_such_device", "there is cpu"),
        ({"acme"}, {"pool": "cellar"}, "no_such_pool", "there is lab"),
    ],
)
def test_a_plugin_that_no_worker_has_is_told(
    services: Services,
    spec: dict[str, Any],
    installed: set[str],
    resources: dict[str, Any],
    code: str | None,
    there_is: str,
) -> None:
    plan = make_plan({**spec, "resources": resources}).model_copy(update={"plugins": ["acme"]})
    here = Capabilities(frozenset({"cpu"}), "lab", frozenset(installed))
    services.store.register_worker(WorkerInfo("wrk_1", "node", here))

    told = [one for one in placed(services, plan).warnings if one.code.startswith("no_such_")]

    assert [one.code for one in told] == ([code] if code else [])
    assert all(there_is in one.message for one in told)


def test_a_plugin_of_a_worker_of_another_pool_does_not_help(services: Services, spec: dict[str, Any]) -> None:
    plan = make_plan({**spec, "resources": {"pool": "lab"}}).model_copy(update={"plugins": ["acme"]})
    services.store.register_worker(WorkerInfo("wrk_1", "node", Capabilities(frozenset({"cpu"}), "lab")))
    elsewhere = Capabilities(frozenset({"cpu"}), "cellar", frozenset({"acme"}))
    services.store.register_worker(WorkerInfo("wrk_2", "node", elsewhere))

    told = [one.code for one in placed(services, plan).warnings]

    assert "no_such_plugin" in told


def test_a_sweep_says_it_once_for_all_its_members(client: TestClient, sweep_spec: dict[str, Any]) -> None:
    sweep_spec["base"]["resources"] = {"device": "cuda"}

    checked = client.post("/v1/sweeps", params={"validate_only": "true"}, json=sweep_spec).json()

    assert [one["code"] for one in checked["warnings"]].count("no_such_device") == 1


@pytest.mark.parametrize("how", ["job", "rerun", "rerun from a checkpoint", "sweep"])
def test_what_is_stored_says_nothing_of_the_workers_of_that_moment(
    how: str, client: TestClient, services: Services, spec: dict[str, Any], stopped: str
) -> None:
    device = {"op": "replace", "path": "/resources", "value": {"device": "cuda"}}
    path, body = {
        "job": ("/v1/jobs", {**spec, "resources": {"device": "cuda"}}),
        "rerun": (f"/v1/jobs/{stopped}/rerun", {"patch": [device]}),
        "rerun from a checkpoint": (
            f"/v1/jobs/{stopped}/rerun",
            {"patch": [device], "start_from": "checkpoint"},
        ),
        "sweep": ("/v1/sweeps", {"base": {**spec, "resources": {"device": "cuda"}}, "seeds": [0]}),
    }[how]

    checked = client.post(path, params={"validate_only": "true"}, json=body).json()["warnings"]
    stored = client.post(path, json=body).json()
    member = stored["leaderboard"][0]["job_ids"][0] if how == "sweep" else stored["id"]

    told = [one for one in checked if one["code"] == "no_such_device"]
    assert len(told) == 1
    assert [one for one in checked if one not in told] == client.get(f"/v1/jobs/{member}").json()["warnings"]
    assert told[0] not in stored["warnings"]


def test_any_worker_will_do_where_nothing_is_asked(client: TestClient, spec: dict[str, Any]) -> None:
    assert waiting(client, spec) == []
