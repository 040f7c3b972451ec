import csv
import io

from api.jobs import examples
from api.jobs.schemas import ArtifactList, EventPage, JobPage, JobView, MetricsPage, Validation


def test_each_example_has_exactly_the_fields_of_its_response() -> None:
    # What fits the schema may still leave a field out that has a default, or show one that does not exist.
    shown = {
        JobView: examples.JOB,
        JobPage: examples.JOB_PAGE,
        Validation: examples.VALIDATION,
        MetricsPage: examples.METRICS,
        EventPage: examples.EVENTS,
        ArtifactList: examples.ARTIFACTS,
    }

    assert {view: set(view.model_fields) for view in shown} == {view: set(one) for view, one in shown.items()}


def test_the_progress_is_consistent() -> None:
    progress = examples.SUMMARY["progress"]

    assert progress["step"] / progress["num_steps"] == progress["epoch"] / progress["num_epochs"]
    assert progress["fraction"] == progress["epoch"] / progress["num_epochs"]


def test_the_csv_is_the_first_row_of_the_page() -> None:
    row = next(csv.DictReader(io.StringIO(examples.METRICS_CSV)))

    page_row = examples.METRICS["data"][0]
    assert (int(row["seq"]), int(row["step"]), row["at"]) == (page_row["seq"], page_row["step"], page_row["at"])


def test_the_size_of_the_model_is_near_that_of_its_parameters() -> None:
    num_parameters = examples.VALIDATION["plan"]["num_parameters"]
    size_bytes = examples.ARTIFACTS["data"][0]["size_bytes"]

    assert 0 < size_bytes - 4 * num_parameters < 1000
