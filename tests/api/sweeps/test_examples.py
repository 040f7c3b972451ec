from fastapi.testclient import TestClient

from api.sweeps import examples as sweep_examples


def test_the_example_is_accepted_as_it_is_shown(client: TestClient) -> None:
    validated = client.post("/v1/sweeps", params={"validate_only": True}, json=sweep_examples.SPEC)
    submitted = client.post("/v1/sweeps", json=sweep_examples.SPEC)

    assert validated.json() == sweep_examples.VALIDATION
    assert submitted.json()["num_members"] == sweep_examples.QUEUED["num_members"]
    assert set(submitted.json()) == set(sweep_examples.QUEUED)
