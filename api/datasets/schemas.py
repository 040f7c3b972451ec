"""Data sets as users see them."""

from typing import Any, Literal, cast

from pydantic import Field

from api.datasets.tables import facts_of_dataset
from api.http.schemas import View
from api.http.times import Time
from api.services import Services
from jobs.model import Dataset, Json
from jobs.states import DatasetState
from regcore.data.tables.facts import ColumnType, Modality


class ColumnView(View):
    """One column of a table."""

    name: str
    given_name: str | None
    """As it stands in the file, if it had to be renamed."""
    type: ColumnType
    """What was found; `types` of a job's `data` decides otherwise."""
    why: str
    """Why this type, where it may surprise."""
    num_missing: int
    """Gaps, as the column is read."""
    num_distinct: int
    examples: list[str]
    """The first distinct cells, as spelled."""


class TableWarningView(View):
    """Something about a file that its owner should know."""

    code: str
    message: str
    remedy: str
    column: str | None


class DatasetSummaryView(View):
    """A data set as lists show it."""

    id: str
    name: str | None
    sha256: str
    """Of the bytes as they were sent."""
    size_bytes: int
    header: Literal["auto", "yes", "no"]
    format: str | None
    """`csv`, `parquet`, `jsonl` or `npz`. If the media type did not tell: null in lists, and until it was found."""
    state: DatasetState
    state_reason: Json | None
    """Why it is invalid: `{code, message, remedy, retryable, details}`; `details` has `line`, `row` and `column` where
    there is one."""
    modality: Modality | None
    """What its rows are; null until it is ready."""
    num_rows: int | None
    num_columns: int | None
    created_at: Time
    updated_at: Time
    finished_at: Time | None
    """When it became ready or invalid."""
    links: dict[str, str] = Field(default={})


class DatasetView(DatasetSummaryView):
    """A data set, whole."""

    columns: list[ColumnView]
    """In the file's order; empty until it is ready."""
    warnings: list[TableWarningView]
    """What its owner should know of the file. What needs a target or a split is a warning of the job."""


class DatasetPage(View):
    """A page of data sets."""

    data: list[DatasetSummaryView]
    next_after: str | None
    """The `after` of the next page; null on the last page."""
    has_more: bool


class PreviewView(View):
    """The first rows of a table, as they were read."""

    columns: list[str]
    rows: list[list[Any]]
    """Each in the columns' order; dates, and integers beyond 2⁵³, as strings."""


def show_dataset(services: Services, dataset: Dataset) -> DatasetView:
    """Return a data set as users see it."""
    facts = facts_of_dataset(services, dataset)
    summary = dict(show_dataset_summary(services, dataset))
    if facts is None:
        return DatasetView(**summary, columns=[], warnings=[])
    columns = [ColumnView.model_validate(column) for column in facts.columns]
    warnings = [TableWarningView.model_validate(warning) for warning in facts.warnings]
    return DatasetView(**summary | {"format": facts.format}, columns=columns, warnings=warnings)


def show_dataset_summary(services: Services, dataset: Dataset) -> DatasetSummaryView:
    """Return a data set as lists show it."""
    own = services.url(f"/v1/datasets/{dataset.id}")
    return DatasetSummaryView(
        id=dataset.id,
        name=dataset.name,
        sha256=dataset.sha256,
        size_bytes=dataset.size_bytes,
        header=dataset.header,
        format=None if dataset.format == "auto" else dataset.format,
        state=dataset.state,
        state_reason=dataset.state_reason,
        modality=cast("Modality | None", dataset.modality),
        num_rows=dataset.num_rows,
        num_columns=dataset.num_columns,
        created_at=dataset.created_at,
        updated_at=dataset.updated_at,
        finished_at=dataset.finished_at,
        links={"self": own, "preview": f"{own}/preview", "jobs": services.url(f"/v1/jobs?dataset_id={dataset.id}")},
    )
