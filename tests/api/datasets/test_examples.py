from pathlib import Path

from fastapi.testclient import TestClient

from api.datasets import examples as dataset_examples
from api.datasets.schemas import ColumnView
from regcore.data.tables.read import read_file
from worker.datasets.preview import preview_of


def test_the_example_is_accepted_as_it_is_shown(client: TestClient) -> None:
    made = client.post("/v1/datasets", content=dataset_examples.CSV, headers={"Content-Type": "text/csv"}).json()

    assert made["size_bytes"] == dataset_examples.SUMMARY["size_bytes"]
    assert set(made) == set(dataset_examples.VALIDATING) == set(dataset_examples.DATASET)
    assert {name for name in made if made[name] is None and name != "name"} == {
        name for name, value in dataset_examples.VALIDATING.items() if value is None
    }


def test_the_example_shows_what_is_read_in_it(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(dataset_examples.CSV)
    table = read_file(path, format="csv")

    assert preview_of(table) == dataset_examples.PREVIEW
    columns = [ColumnView.model_validate(column).model_dump() for column in table.facts.columns]
    assert columns == dataset_examples.DATASET["columns"]
