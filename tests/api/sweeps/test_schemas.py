from typing import Any

from fastapi.testclient import TestClient

from api.services import Services
from api.sweeps.schemas import show_sweep, show_sweep_summary, show_sweep_validation
from api.sweeps.submissions import plan_members


def test_links_lead_to_what_there_is(services: Services, client: TestClient, sweep_spec: dict[str, Any]) -> None:
    sweep_id = client.post("/v1/sweeps", json=sweep_spec).json()["id"]
    summary = show_sweep_summary(services, services.store.get_sweep("default", sweep_id))

    answers = {name: client.get(link).status_code for name, link in summary.links.items() if name != "cancel"}

    assert answers == {"self": 200, "path": 200, "comparison": 409, "ablation": 409, "jobs": 200}
    assert client.post(summary.links["cancel"]).status_code == 202


def test_times_are_as_everywhere(services: Services, client: TestClient, sweep_spec: dict[str, Any]) -> None:
    sweep_id = client.post("/v1/sweeps", json=sweep_spec).json()["id"]

    shown = show_sweep(services, services.store.get_sweep("default", sweep_id)).model_dump(mode="json")

    assert shown["created_at"].endswith("Z")
    assert (shown["started_at"], shown["finished_at"]) == (None, None)


def test_a_validation_counts_before_anything_is_stored(services: Services, sweep_spec: dict[str, Any]) -> None:
    shown = show_sweep_validation(plan_members(services, "default", sweep_spec))

    assert (shown.valid, shown.num_candidates, shown.num_members) == (True, 3, 6)
