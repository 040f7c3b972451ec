from worker.datasets.confinement import Confinement
from worker.datasets.request import Request


def test_a_request_survives_its_way_to_the_child() -> None:
    request = Request("/artifacts/0a/f3", "räume 🙂.csv", "csv", "auto", Confinement(2, 3, 4), 5)

    assert Request.from_json(request.to_json()) == request
