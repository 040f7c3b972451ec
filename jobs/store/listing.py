"""Listing jobs: filters first, then pages by keyset, so that a page never skips or repeats a job."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select

from jobs.model import JobFilter, JobSummary, Page
from jobs.store.base import Concern
from jobs.store.cursors import read_cursor, write_cursor
from jobs.store.rows import SUMMARY_COLUMNS, summary_from_row
from jobs.tables import job_labels, jobs

_FAR_FUTURE = 1e12


@dataclass(frozen=True, slots=True)
class _Order:
    """A way to sort: never NULL, or a keyset would lose rows; ties go by id."""

    key: ColumnElement[Any]
    descending: bool
    key_type: type


# A job that has not finished comes last, either way.
_ORDERS = {
    "created_at": _Order(jobs.c.created_at, False, float),
    "-created_at": _Order(jobs.c.created_at, True, float),
    "finished_at": _Order(func.coalesce(jobs.c.finished_at, _FAR_FUTURE), False, float),
    "-finished_at": _Order(func.coalesce(jobs.c.finished_at, -1.0), True, float),
    "name": _Order(func.coalesce(jobs.c.name, ""), False, str),
}

SORTS = tuple(_ORDERS)
"""The orders that `Listing.list` knows."""


class Listing(Concern):
    """Listing jobs."""

    def list(
        self,
        tenant: str,
        job_filter: JobFilter | None = None,
        sort: str = "-created_at",
        after: str | None = None,
        limit: int = 50,
    ) -> Page[JobSummary]:
        """Return a page of the jobs that meet the filter.

        Args:
            tenant: Whose jobs.
            job_filter: Which of them; all if None.
            sort: One of `SORTS`.
            after: The ``next_after`` of the page before; None for the first.
            limit: Most jobs on the page, ≥ 1.

        Raises:
            InvalidCursorError: ``after`` is not a cursor of a list in this order.
        """
        order = _ORDERS[sort]
        conditions = [jobs.c.tenant == tenant, *_conditions(job_filter or JobFilter())]
        if after is not None:
            conditions.append(_behind(order, *read_cursor(after, sort, order.key_type)))
        by = [order.key.desc(), jobs.c.id.desc()] if order.descending else [order.key.asc(), jobs.c.id.asc()]
        query = select(*SUMMARY_COLUMNS, order.key.label("sort_key")).where(*conditions).order_by(*by)
        with self._database.read() as connection:
            rows = connection.execute(query.limit(limit + 1)).all()
        more = len(rows) > limit
        rows = rows[:limit]
        next_after = write_cursor(sort, rows[-1].sort_key, rows[-1].id) if more else None
        return Page([summary_from_row(row) for row in rows], next_after)


def _conditions(wanted: JobFilter) -> list[ColumnElement[bool]]:
    texts = [wanted.name or "", wanted.sweep_id or "", *(text for label in wanted.labels for text in label)]
    if any("\0" in text for text in texts):
        return [false()]  # PostgreSQL has no text with NUL, and raises at it
    conditions: list[ColumnElement[bool]] = []
    if wanted.states:
        conditions.append(jobs.c.state.in_(sorted(wanted.states)))
    if wanted.name is not None:
        conditions.append(jobs.c.name == wanted.name)
    if wanted.sweep_id is not None:
        conditions.append(jobs.c.sweep_id == wanted.sweep_id)
    if wanted.created_after is not None:
        conditions.append(jobs.c.created_at > wanted.created_after)
    if wanted.created_before is not None:
        conditions.append(jobs.c.created_at < wanted.created_before)
    for key, value in wanted.labels:
        same_job = job_labels.c.job_id == jobs.c.id
        conditions.append(exists().where(same_job, job_labels.c.key == key, job_labels.c.value == value))
    return conditions


def _behind(order: _Order, value: Any, job_id: str) -> ColumnElement[bool]:
    if order.descending:
        return or_(order.key < value, and_(order.key == value, jobs.c.id < job_id))
    return or_(order.key > value, and_(order.key == value, jobs.c.id > job_id))
