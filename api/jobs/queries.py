"""Query parameters of jobs."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from api.http.queries import (
    DIGITS,
    Labels,
    NoQuery,
    PageLimit,
    Word,
    check_cursor,
    check_states,
    read_label,
    refuse_empty,
    split_commas,
)
from api.http.times import GivenTime
from api.jobs.log_places import MAX_SEQ
from jobs.model import JobFilter
from jobs.states import JobState
from jobs.store.listing import may_move, read_place


class SubmitQuery(NoQuery):
    """Of submitting."""

    validate_only: bool = False
    """Answer as the real call would, and store nothing."""


class JobListQuery(NoQuery):
    """Of listing jobs."""

    state: Annotated[list[str], AfterValidator(lambda values: check_states(values, JobState))] = Field(
        default=[], examples=[["running,queued"]]
    )
    """Only jobs in one of these states, separated by commas."""
    label: Labels = Field(default=[], examples=[["team:vision"]])
    """Only jobs with this label, `key:value`; if repeated, with all of them."""
    name: Word | None = None
    """Only jobs of exactly this name."""
    sweep_id: Word | None = None
    """Only members of this sweep."""
    dataset_id: Word | None = None
    """Only jobs on this data set."""
    created_after: GivenTime | None = None
    """Only those made after this time, RFC 3339 with its offset."""
    created_before: GivenTime | None = None
    sort: Literal["created_at", "-created_at", "finished_at", "-finished_at", "name"] = "-created_at"
    """`-` for descending order."""
    after: str | None = None
    """`next_after` of the page before."""
    limit: PageLimit = 50

    @field_validator("after")
    @classmethod
    def _check_after(cls, after: str | None, info: ValidationInfo) -> str | None:
        if "sort" not in info.data:  # the sort is wrong itself, so its cursors cannot be checked
            return after
        needs_moment = may_move(info.data["sort"], info.data.get("state", ()))
        return check_cursor(after, lambda text: read_place(text, info.data["sort"], needs_moment=needs_moment))


class MetricsQuery(NoQuery):
    """Of a job's metrics."""

    after: Annotated[int, Field(ge=0, le=MAX_SEQ), DIGITS] = 0
    """Only rows with a greater `seq`; refused if it is beyond the last record of a job that goes on."""
    names: Annotated[list[str], AfterValidator(refuse_empty)] = Field(default=[], examples=[["train/loss,test/loss"]])
    """Only these metrics, separated by commas, and only rows that have one of them."""
    limit: Annotated[int, Field(ge=1, le=10_000), DIGITS] = 1000
    max_points: Annotated[int | None, Field(ge=2, le=10_000), DIGITS] = None
    """Thin out all rows after `after` to this many, evenly, with the first and the last; `limit` is then ignored."""


class EventsQuery(NoQuery):
    """Of a job's log."""

    after: Annotated[int, Field(ge=0, le=MAX_SEQ), DIGITS] = 0
    """Only records with a greater `seq`; refused if it is beyond the last record of a job that goes on."""
    limit: Annotated[int, Field(ge=1, le=10_000), DIGITS] = 1000
    """Most records of a page; a stream is not limited."""


def make_job_filter(query: JobListQuery) -> JobFilter:
    """Return the filter of a list of jobs."""
    return JobFilter(
        states=frozenset(JobState(word) for word in split_commas(query.state)),
        labels=tuple(read_label(text) for text in query.label),
        name=query.name,
        sweep_id=query.sweep_id,
        dataset_id=query.dataset_id,
        created_after=query.created_after.timestamp() if query.created_after else None,
        created_before=query.created_before.timestamp() if query.created_before else None,
    )
