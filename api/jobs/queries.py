"""Query parameters: one model for each operation; an unknown parameter is an error."""

import re
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from api.http.errors import ParameterError, ProblemError, WrongParameterError, suggest
from api.http.times import GivenTime
from api.jobs.log_places import MAX_SEQ
from jobs.errors import InvalidCursorError
from jobs.model import DatasetFilter, JobFilter, SweepFilter
from jobs.states import DatasetState, JobState
from jobs.store.cursors import Cursor
from jobs.store.datasets import read_dataset_place
from jobs.store.listing import may_move, read_place
from jobs.store.sweep_reading import read_sweep_place
from regcore.spec.job import MAX_LABELS

_WHOLE = re.compile(r"-?[0-9]{1,30}")


def split_commas(values: list[str]) -> list[str]:
    """Return the words of `a,b` given once or several times."""
    return [word.strip() for value in values for word in value.split(",") if word.strip()]


def _refuse_empty(values: list[str]) -> list[str]:
    if not all(map(split_commas, ([value] for value in values))):
        raise WrongParameterError("it is empty, which would be no filter. Name something, or leave it out.", "empty")
    return values


def _check_word(word: str, states: type[StrEnum]) -> None:
    known = [state.value for state in states]
    if word not in known:
        message = f"state must be one of {', '.join(known)}; received {word!r:.80}." + suggest(word, known)
        raise WrongParameterError(message, "unknown_value")


def _label(text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not colon or not key:
        raise WrongParameterError(f"label must be key:value; received {text!r:.80}. Add the colon.")
    return key, value


def _check_words(values: list[str], states: type[StrEnum]) -> list[str]:
    for word in split_commas(_refuse_empty(values)):
        _check_word(word, states)
    return values


def _check_states(values: list[str]) -> list[str]:
    return _check_words(values, JobState)


def _check_labels(values: list[str]) -> list[str]:
    for text in values:
        _label(text)
    return values


def _check_cursor(after: str | None, read: Callable[[str], Cursor]) -> str | None:
    try:
        if after is not None:
            read(after)
    except InvalidCursorError as error:
        raise WrongParameterError(str(error), "invalid_cursor") from error
    return after


_Word = Annotated[str, Field(min_length=1)]


def _check_whole(given: Any) -> Any:
    # Python would also read `1_0`, ` 1` and `1.0`, which no other client writes.
    if isinstance(given, str) and not _WHOLE.fullmatch(given):
        raise WrongParameterError(f"expected a whole number in digits; received {given!r:.80}. Correct it.")
    return given


_DIGITS = BeforeValidator(_check_whole)

_Labels = Annotated[list[str], Field(max_length=MAX_LABELS), AfterValidator(_check_labels)]


class NoQuery(BaseModel):
    """No parameter at all."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class SubmitQuery(NoQuery):
    """Of submitting."""

    validate_only: bool = False
    """Answer as the real call would, and store nothing."""


class ListQuery(NoQuery):
    """Of listing jobs."""

    state: Annotated[list[str], AfterValidator(_check_states), Field(examples=[["running,queued"]])] = []
    """Only jobs in one of these states, separated by commas."""
    label: Annotated[_Labels, Field(examples=[["team:vision"]])] = []
    """Only jobs with this label, `key:value`; if repeated, with all of them."""
    name: _Word | None = None
    """Only jobs of exactly this name."""
    sweep_id: _Word | None = None
    """Only members of this sweep."""
    dataset_id: _Word | None = None
    """Only jobs on this data set."""
    created_after: GivenTime | None = None
    """Only those made after this time, RFC 3339 with its offset."""
    created_before: GivenTime | None = None
    sort: Literal["created_at", "-created_at", "finished_at", "-finished_at", "name"] = "-created_at"
    """`-` for descending order."""
    after: str | None = None
    """`next_after` of the page before."""
    limit: Annotated[int, Field(ge=1, le=1000), _DIGITS] = 50

    @field_validator("after")
    @classmethod
    def _check_after(cls, after: str | None, info: ValidationInfo) -> str | None:
        if "sort" not in info.data:  # the sort is wrong itself, so its cursors cannot be checked
            return after
        needs_moment = may_move(info.data["sort"], info.data.get("state", ()))
        return _check_cursor(after, lambda text: read_place(text, info.data["sort"], needs_moment=needs_moment))


def _check_name(name: str) -> str:
    # It comes back in messages, and clients may name a file by it.
    has_path = "/" in name or "\\" in name or name in (".", "..")
    if not name.isprintable() or name != name.strip() or has_path:
        raise WrongParameterError(
            f"name must be a plain file name: printable, without / and \\, and without spaces at its ends; received "
            f"{name!r:.80}. Correct it, or leave it out."
        )
    return name


class UploadQuery(NoQuery):
    """Of uploading a data set."""

    name: Annotated[
        str | None, Field(min_length=1, max_length=200, examples=["rows.csv"]), AfterValidator(_check_name)
    ] = None
    """What to call it, such as the file's name. Without effect if the bytes are known already."""
    header: Literal["auto", "yes", "no"] = "auto"
    """Whether the first row of a CSV file holds the columns' names."""


_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class DatasetListQuery(NoQuery):
    """Of listing data sets."""

    state: Annotated[
        list[str],
        AfterValidator(lambda values: _check_words(values, DatasetState)),
        Field(examples=[["ready"]]),
    ] = []
    """Only data sets in one of these states, separated by commas."""
    sha256: _Sha256 | None = None
    """Only those whose file has this SHA-256: whether it must be sent."""
    name: _Word | None = None
    """Only data sets of exactly this name."""
    created_after: GivenTime | None = None
    """Only those made after this time, RFC 3339 with its offset."""
    created_before: GivenTime | None = None
    sort: Literal["created_at", "-created_at", "name"] = "-created_at"
    """`-` for descending order."""
    after: str | None = None
    """`next_after` of the page before."""
    limit: Annotated[int, Field(ge=1, le=1000), _DIGITS] = 50

    @field_validator("after")
    @classmethod
    def _check_after(cls, after: str | None, info: ValidationInfo) -> str | None:
        if "sort" not in info.data:  # the sort is wrong itself, so its cursors cannot be checked
            return after
        return _check_cursor(after, lambda text: read_dataset_place(text, info.data["sort"]))


class SweepListQuery(NoQuery):
    """Of listing sweeps, the newest first."""

    label: Annotated[_Labels, Field(examples=[["team:vision"]])] = []
    """Only sweeps with this label, `key:value`; if repeated, with all of them."""
    name: _Word | None = None
    """Only sweeps of exactly this name."""
    created_after: GivenTime | None = None
    """Only those made after this time, RFC 3339 with its offset."""
    created_before: GivenTime | None = None
    after: Annotated[str | None, AfterValidator(lambda after: _check_cursor(after, read_sweep_place))] = None
    """`next_after` of the page before."""
    limit: Annotated[int, Field(ge=1, le=1000), _DIGITS] = 50


class VerdictQuery(NoQuery):
    """Of comparing members of a sweep."""

    metric: _Word | None = None
    """The metric to compare; by default the objective's on the test split. On the split by which variants were chosen
    they look better than they are, and a note says so."""


class ComparisonQuery(VerdictQuery):
    """Of comparing variants of a sweep."""

    baseline: _Word | None = None
    """A variant: each other one is compared with it alone, and p is corrected for these comparisons alone. By default
    every two variants are compared."""


class MetricsQuery(NoQuery):
    """Of a job's metrics."""

    after: Annotated[int, Field(ge=0, le=MAX_SEQ), _DIGITS] = 0
    """Only rows with a greater `seq`; refused if it is beyond the last record of a job that goes on."""
    names: Annotated[list[str], AfterValidator(_refuse_empty), Field(examples=[["train/loss,test/loss"]])] = []
    """Only these metrics, separated by commas, and only rows that have one of them."""
    limit: Annotated[int, Field(ge=1, le=10_000), _DIGITS] = 1000
    max_points: Annotated[int | None, Field(ge=2, le=10_000), _DIGITS] = None
    """Thin out all rows after `after` to this many, evenly, with the first and the last; `limit` is then ignored."""


class EventsQuery(NoQuery):
    """Of a job's log."""

    after: Annotated[int, Field(ge=0, le=MAX_SEQ), _DIGITS] = 0
    """Only records with a greater `seq`; refused if it is beyond the last record of a job that goes on."""
    limit: Annotated[int, Field(ge=1, le=10_000), _DIGITS] = 1000
    """Most records of a page; a stream is not limited."""


def _refuse_query(query: Annotated[NoQuery, Query()]) -> None:
    """Does nothing: parameters were refused before."""


_LISTS = frozenset({"state", "label", "names"})
"""Parameters that may be given several times."""

NO_QUERY = Depends(_refuse_query)
"""For operations that take no query parameter."""


def refuse_repeats(request: Request) -> None:
    """Refuse a parameter that comes twice and takes one value: of two, each server takes another one.

    Raises:
        ProblemError: One does.
    """
    counts = Counter(name for name, _ in request.query_params.multi_items())
    wrong = [
        ParameterError(name, "given_twice", f"{name} takes one value; received {count}. Keep one of them.")
        for name, count in counts.items()
        if count > 1 and name not in _LISTS
    ]
    if wrong:
        raise ProblemError("invalid_parameter", wrong[0].message, wrong)


def make_filter(query: ListQuery) -> JobFilter:
    """Return the filter of a list of jobs."""
    return JobFilter(
        states=frozenset(JobState(word) for word in split_commas(query.state)),
        labels=tuple(_label(text) for text in query.label),
        name=query.name,
        sweep_id=query.sweep_id,
        dataset_id=query.dataset_id,
        created_after=query.created_after.timestamp() if query.created_after else None,
        created_before=query.created_before.timestamp() if query.created_before else None,
    )


def make_dataset_filter(query: DatasetListQuery) -> DatasetFilter:
    """Return the filter of a list of data sets."""
    return DatasetFilter(
        states=frozenset(DatasetState(word) for word in split_commas(query.state)),
        name=query.name,
        sha256=query.sha256,
        created_after=query.created_after.timestamp() if query.created_after else None,
        created_before=query.created_before.timestamp() if query.created_before else None,
    )


def make_sweep_filter(query: SweepListQuery) -> SweepFilter:
    """Return the filter of a list of sweeps."""
    return SweepFilter(
        labels=tuple(_label(text) for text in query.label),
        name=query.name,
        created_after=query.created_after.timestamp() if query.created_after else None,
        created_before=query.created_before.timestamp() if query.created_before else None,
    )
