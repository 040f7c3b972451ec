"""Query parameters of data sets."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from api.http.errors import WrongParameterError
from api.http.queries import NoQuery, PageLimit, Word, check_cursor, check_states, split_commas
from api.http.times import GivenTime
from jobs.model import DatasetFilter
from jobs.states import DatasetState
from jobs.store.datasets import read_dataset_place


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

    state: Annotated[list[str], AfterValidator(lambda values: check_states(values, DatasetState))] = Field(
        default=[], examples=[["ready"]]
    )
    """Only data sets in one of these states, separated by commas."""
    sha256: _Sha256 | None = None
    """Only those whose file has this SHA-256: whether it must be sent."""
    name: Word | None = None
    """Only data sets of exactly this name."""
    created_after: GivenTime | None = None
    """Only those made after this time, RFC 3339 with its offset."""
    created_before: GivenTime | None = None
    sort: Literal["created_at", "-created_at", "name"] = "-created_at"
    """`-` for descending order."""
    after: str | None = None
    """`next_after` of the page before."""
    limit: PageLimit = 50

    @field_validator("after")
    @classmethod
    def _check_after(cls, after: str | None, info: ValidationInfo) -> str | None:
        if "sort" not in info.data:  # the sort is wrong itself, so its cursors cannot be checked
            return after
        return check_cursor(after, lambda text: read_dataset_place(text, info.data["sort"]))


def make_dataset_filter(query: DatasetListQuery) -> DatasetFilter:
    """Return the filter of a list of data sets."""
    return DatasetFilter(
        states=frozenset(DatasetState(word) for word in split_commas(query.state)),
        name=query.name,
        sha256=query.sha256,
        created_after=query.created_after.timestamp() if query.created_after else None,
        created_before=query.created_before.timestamp() if query.created_before else None,
    )
