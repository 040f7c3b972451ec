from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.http.queries import split_commas


@pytest.mark.parametrize(
    ("values", "words"),
    [([], []), (["a,b", "c"], ["a", "b", "c"]), ([" a , b "], ["a", "b"]), ([",", "", "a,,b"], ["a", "b"])],
)
def test_lists_are_written_with_commas_or_several_times(values: list[str], words: list[str]) -> None:
    assert split_commas(values) == words


@pytest.mark.parametrize(
    "query",
    [
        "jobs?state=",
        "jobs?state=,",
        "jobs?state=queued&state=",
        "jobs?label=",
        "jobs?name=",
        "jobs?sweep_id=",
        "jobs?created_after=",
        "jobs?created_before=",
        "jobs?after=",
        "jobs?sort=",
        "sweeps?label=",
        "sweeps?name=",
        "sweeps?created_after=",
        "sweeps?after=",
        "jobs/x/metrics?names=",
        "jobs/x/metrics?names=,",
        "jobs/x/metrics?max_points=",
        "sweeps/x/comparison?metric=",
        "sweeps/x/ablation?metric=",
    ],
)
def test_an_empty_filter_is_no_filter_of_all(query: str, client: TestClient, problem_of: Any) -> None:
    name = query.partition("?")[2].partition("=")[0]

    problem = problem_of(client.get(f"/v1/{query}"), 422, "invalid_parameter")

    assert [error["parameter"] for error in problem["errors"]] == [name]


@pytest.mark.parametrize("given", ["1_0", "%201", "%2B1", "1.0", "1e1", "0x1", "%D9%A1", "true"])
@pytest.mark.parametrize(
    "name", ["jobs?limit", "jobs/x/metrics?after", "jobs/x/metrics?max_points", "jobs/x/events?after"]
)
def test_a_whole_number_is_written_in_digits(name: str, given: str, client: TestClient, problem_of: Any) -> None:
    problem = problem_of(client.get(f"/v1/{name}={given}"), 422, "invalid_parameter")

    assert "expected a whole number in digits" in problem["detail"]


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/sweeps"])
def test_no_more_labels_are_asked_for_than_a_job_may_have(path: str, client: TestClient, problem_of: Any) -> None:
    labels = [("label", f"a{number}:b") for number in range(2000)]

    problem = problem_of(client.get(path, params=labels), 422, "invalid_parameter")

    assert [error["parameter"] for error in problem["errors"]] == ["label"]
    assert "at most 16" in problem["detail"]
    assert client.get(path, params=labels[:16]).status_code == 200


def test_every_wrong_parameter_is_named_at_once(client: TestClient, problem_of: Any) -> None:
    of_jobs = "/v1/jobs?limit=0&state=queued,foo&label=team&created_before=now&after=abc&no_such=1"
    of_sweeps = "/v1/sweeps?limit=0&label=team&after=abc&name=x"

    for path, named in [
        (of_jobs, ["state", "label", "created_before", "after", "limit", "no_such"]),
        ("/v1/jobs?sort=size&after=abc", ["sort"]),
        ("/v1/jobs?sort=-finished_at&after=abc&state=foo", ["state", "after"]),
        (of_sweeps, ["label", "after", "limit"]),
    ]:
        problem = problem_of(client.get(path), 422, "invalid_parameter")
        assert [error["parameter"] for error in problem["errors"]] == named
