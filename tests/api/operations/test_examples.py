from api.operations import examples
from api.operations.schemas import WorkerList, WorkerView


def test_the_example_has_exactly_the_fields_of_its_response() -> None:
    (worker,) = examples.WORKERS["data"]

    assert set(examples.WORKERS) == set(WorkerList.model_fields)
    assert set(worker) == set(WorkerView.model_fields)
