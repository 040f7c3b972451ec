from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from api.http.queries import NoQuery
from api.jobs.queries import EventsQuery, JobListQuery, MetricsQuery, SubmitQuery, make_job_filter
from jobs.model import JobFilter
from jobs.states import JobState
from jobs.store.listing import SORTS


@pytest.mark.parametrize("query", [NoQuery, SubmitQuery, JobListQuery, MetricsQuery, EventsQuery])
def test_an_unknown_parameter_is_an_error(query: type[NoQuery]) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        query.model_validate({"no_such": "1"})


def test_no_parameter_restricts_nothing() -> None:
    assert make_job_filter(JobListQuery()) == JobFilter()


def test_every_parameter_of_a_list_restricts_it() -> None:
    at = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    query = JobListQuery(
        state=["queued,running", "failed"],
        label=["team:vision", "url:http://x", "empty:"],
        name="n",
        created_after=at,
        created_before=datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC),
    )

    assert make_job_filter(query) == JobFilter(
        states=frozenset({JobState.QUEUED, JobState.RUNNING, JobState.FAILED}),
        labels=(("team", "vision"), ("url", "http://x"), ("empty", "")),
        name="n",
        created_after=1_767_225_600.0,
        created_before=1.5,
    )


def test_the_beginning_of_time_restricts_too() -> None:
    query = JobListQuery(created_before=datetime(1970, 1, 1, tzinfo=UTC))

    assert make_job_filter(query).created_before == 0.0


@pytest.mark.parametrize(
    ("wrong", "parameter"),
    [({"state": ["done"]}, "state"), ({"label": ["team"]}, "label"), ({"label": [":x"]}, "label")],
)
def test_a_wrong_word_is_a_problem_of_its_parameter(wrong: dict[str, Any], parameter: str) -> None:
    with pytest.raises(ValidationError) as caught:
        JobListQuery(**wrong)

    assert [error["loc"] for error in caught.value.errors()] == [(parameter,)]


def test_a_list_is_sorted_as_the_store_can() -> None:
    offered = JobListQuery.model_json_schema()["properties"]["sort"]["enum"]

    assert set(offered) == set(SORTS)
