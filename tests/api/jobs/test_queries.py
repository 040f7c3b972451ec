from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from api.jobs.queries import EventsQuery, ListQuery, MetricsQuery, NoQuery, SubmitQuery, make_filter, split_commas
from jobs.model import JobFilter
from jobs.states import JobState
from jobs.store.listing import SORTS


@pytest.mark.parametrize("query", [NoQuery, SubmitQuery, ListQuery, MetricsQuery, EventsQuery])
def test_an_unknown_parameter_is_an_error(query: type[NoQuery]) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        query.model_validate({"no_such": "1"})


@pytest.mark.parametrize(
    ("values", "words"),
    [([], []), (["a,b", "c"], ["a", "b", "c"]), ([" a , b "], ["a", "b"]), ([",", "", "a,,b"], ["a", "b"])],
)
def test_lists_are_written_with_commas_or_several_times(values: list[str], words: list[str]) -> None:
    assert split_commas(values) == words


def test_no_parameter_restricts_nothing() -> None:
    assert make_filter(ListQuery()) == JobFilter()


def test_every_parameter_of_a_list_restricts_it() -> None:
    at = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    query = ListQuery(
        state=["queued,running", "failed"],
        label=["team:vision", "url:http://x", "empty:"],
        name="n",
        created_after=at,
        created_before=datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC),
    )

    assert make_filter(query) == JobFilter(
        states=frozenset({JobState.QUEUED, JobState.RUNNING, JobState.FAILED}),
        labels=(("team", "vision"), ("url", "http://x"), ("empty", "")),
        name="n",
        created_after=1_767_225_600.0,
        created_before=1.5,
    )


def test_the_beginning_of_time_restricts_too() -> None:
    query = ListQuery(created_before=datetime(1970, 1, 1, tzinfo=UTC))

    assert make_filter(query).created_before == 0.0


@pytest.mark.parametrize(
    ("wrong", "parameter"),
    [({"state": ["done"]}, "state"), ({"label": ["team"]}, "label"), ({"label": [":x"]}, "label")],
)
def test_a_wrong_word_is_a_problem_of_its_parameter(wrong: dict[str, Any], parameter: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ListQuery(**wrong)

    assert [error["loc"] for error in caught.value.errors()] == [(parameter,)]


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


def test_a_list_is_sorted_as_the_store_can() -> None:
    offered = ListQuery.model_json_schema()["properties"]["sort"]["enum"]

    assert set(offered) == set(SORTS)
