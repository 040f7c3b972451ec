from fastapi.testclient import TestClient

from api import dataset_examples


def test_the_example_is_accepted_as_it_is_shown(client: TestClient) -> None:
    made = client.post("/v1/datasets", content=dataset_examples.CSV, headers={"Content-Type": "text/csv"}).json()

    assert made["size_bytes"] == dataset_examples.SUMMARY["size_bytes"]
    assert set(made) == set(dataset_examples.VALIDATING) == set(dataset_examples.DATASET)
    assert {name for name in made if made[name] is None and name != "name"} == {
        name for name, value in dataset_examples.VALIDATING.items() if value is None
    }
