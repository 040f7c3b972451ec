from fastapi.testclient import TestClient

from api.datasets.schemas import show_dataset, show_dataset_summary
from api.services import Services


def test_links_lead_to_what_there_is(services: Services, client: TestClient, dataset_id: str) -> None:
    summary = show_dataset_summary(services, services.store.get_dataset("default", dataset_id))

    answers = {name: client.get(link).status_code for name, link in summary.links.items()}

    assert answers == {"self": 200, "preview": 200, "jobs": 200}


def test_a_set_without_a_format_has_it_once_it_was_read(services: Services, client: TestClient) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    made = client.post("/v1/datasets", content=b"PK", headers=headers).json()

    shown = show_dataset(services, services.store.get_dataset("default", made["id"])).model_dump(mode="json")

    assert (shown["format"], shown["columns"], shown["modality"]) == (None, [], None)
    assert shown["created_at"].endswith("Z")


def test_what_was_found_is_shown(services: Services, dataset_id: str) -> None:
    shown = show_dataset(services, services.store.get_dataset("default", dataset_id))

    assert (shown.format, shown.modality, shown.num_columns) == ("csv", "table", 3)
    assert [column.name for column in shown.columns] == ["age", "city", "churn"]
