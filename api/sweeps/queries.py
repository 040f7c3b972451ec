"""Query parameters of sweeps."""

from typing import Annotated

from pydantic import AfterValidator, Field

from api.http.queries import Labels, NoQuery, PageLimit, Word, check_cursor, read_label
from api.http.times import GivenTime
from jobs.model import SweepFilter
from jobs.store.sweep_reading import read_sweep_place


class SweepListQuery(NoQuery):
    """Of listing sweeps, the newest first."""

    label: Labels = Field(default=[], examples=[["team:vision"]])
    """Only sweeps with this label, `key:value`; if repeated, with all of them."""
    name: Word | None = None
    """Only sweeps of exactly this name."""
    created_after: GivenTime | None = None
    """Only those made after this time, RFC 3339 with its offset."""
    created_before: GivenTime | None = None
    after: Annotated[str | None, AfterValidator(lambda after: check_cursor(after, read_sweep_place))] = None
    """`next_after` of the page before."""
    limit: PageLimit = 50


class AblationQuery(NoQuery):
    """Of an ablation."""

    metric: Word | None = None
    """The metric to compare; by default the objective's on the test split. On the split by which variants were chosen
    they look better than they are, and a note says so."""


class ComparisonQuery(AblationQuery):
    """Of comparing variants of a sweep."""

    baseline: Word | None = None
    """A variant: each other one is compared with it alone, and p is corrected for these comparisons alone. By default
    every two variants are compared."""


def make_sweep_filter(query: SweepListQuery) -> SweepFilter:
    """Return the filter of a list of sweeps."""
    return SweepFilter(
        labels=tuple(read_label(text) for text in query.label),
        name=query.name,
        created_after=query.created_after.timestamp() if query.created_after else None,
        created_before=query.created_before.timestamp() if query.created_before else None,
    )
