import pytest
from fastapi.testclient import TestClient


@pytest.mark.parametrize("family", ["regularizers", "models", "layers", "optimizers", "builtin-datasets"])
def test_every_example_of_a_family_would_be_accepted(family: str, client: TestClient) -> None:
    entries = client.get(f"/v1/{family}").json()["data"]

    assert entries
    for entry in entries:
        assert set(entry) == {"kind", "summary", "formula", "source", "schema", "example_job"}
        assert entry["schema"]["type"] == "object"
        if entry["example_job"] is not None:
            answer = client.post("/v1/jobs?validate_only=true", json=entry["example_job"])
            assert answer.status_code == 200, answer.text
