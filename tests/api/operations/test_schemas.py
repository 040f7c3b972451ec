import dataclasses

from api.operations.schemas import WorkerView
from jobs.model import WorkerRow


def test_a_worker_shows_what_the_store_has() -> None:
    stored = {field.name for field in dataclasses.fields(WorkerRow)}

    assert set(WorkerView.model_fields) == stored - {
        "devices",
        "plugins",
        "started_at",
    }  # plugins are shown in `versions`
