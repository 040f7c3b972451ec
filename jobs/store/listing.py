"""Listing jobs: filters first, then pages by keyset.

The promise: every job that met the filter when the first page was read is on exactly one page, unless it is deleted
meanwhile. Most orders use values that never change, and there a keyset is enough. But jobs end while somebody turns
pages, and so move in a list by `finished_at` or leave a list by state. All pages of such a list show which jobs met the
filter at the moment of the first page; each row shows its job as it is now.

Transactions that are open at that moment may still write changes with earlier times. So a job is sorted by what was
settled before they began, and its place never changes. It is listed if its state met the filter at any time between
then and the moment, so it does not matter whether the first page saw such a transaction.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, false, func, null, or_, select

from jobs.clock import Moment, settle
from jobs.errors import InvalidCursorError
from jobs.model import JobFilter, JobSummary, Page
from jobs.store.base import Concern
from jobs.store.cursors import Cursor, read_cursor, write_cursor
from jobs.store.rows import SUMMARY_COLUMNS, summary_from_row
from jobs.tables import job_labels, jobs, records

_FAR_FUTURE = 1e12


@dataclass(frozen=True, slots=True)
class _Order:
    """A sort order: by a column, then by id. NULL gets a value, because a keyset would lose its rows."""

    column: ColumnElement[Any]
    descending: bool
    key_type: type
    null_as: Any = None

    def key(self, as_of: Moment | None) -> ColumnElement[Any]:
        """The value to sort by, now or at a moment."""
        column = self.column
        if column is jobs.c.finished_at and as_of is not None:
            column = case((column < as_of.settled, column), else_=null())
        return column if self.null_as is None else func.coalesce(column, self.null_as)


# A job that has not finished comes last in both directions.
_ORDERS = {
    "created_at": _Order(jobs.c.created_at, False, float),
    "-created_at": _Order(jobs.c.created_at, True, float),
    "finished_at": _Order(jobs.c.finished_at, False, float, _FAR_FUTURE),
    "-finished_at": _Order(jobs.c.finished_at, True, float, -1.0),
    "name": _Order(jobs.c.name, False, str, ""),
}

SORTS = tuple(_ORDERS)
"""The orders that `Listing.list` knows."""


def may_move(sort: str, states: Collection[str]) -> bool:
    """Whether a change of a job can move it in such a list, or out of it."""
    return _ORDERS[sort].column is jobs.c.finished_at or bool(states)


def read_place(after: str, sort: str, *, needs_moment: bool) -> Cursor:
    """Return the place that a cursor of such a list names.

    Raises:
        InvalidCursorError: It is not a cursor of a list in this order.
    """
    last = read_cursor(after, sort, _ORDERS[sort].key_type)
    if needs_moment and last.as_of is None:
        raise InvalidCursorError
    return last


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
        job_filter = job_filter or JobFilter()
        needs_moment = may_move(sort, job_filter.states)
        if after is not None:
            last = read_place(after, sort, needs_moment=needs_moment)
            return self._page(tenant, job_filter, sort, last, last.as_of, limit)
        page = self._page(tenant, job_filter, sort, None, None, limit)
        if page.has_more and needs_moment:
            # Read the first page again, in the way in which all further pages are read.
            return self._page(tenant, job_filter, sort, None, settle(self._database), limit)
        return page

    def _page(
        self, tenant: str, job_filter: JobFilter, sort: str, last: Cursor | None, as_of: Moment | None, limit: int
    ) -> Page[JobSummary]:
        """The page after the cursor, of the list now or at a moment."""
        order = _ORDERS[sort]
        key = order.key(as_of)
        conditions = [jobs.c.tenant == tenant, *_conditions(job_filter, as_of)]
        if last is not None:
            conditions.append(_behind(key, order.descending, last))
        by = [key.desc(), jobs.c.id.desc()] if order.descending else [key.asc(), jobs.c.id.asc()]
        query = select(*SUMMARY_COLUMNS, key.label("sort_key")).where(*conditions).order_by(*by)
        with self._database.read() as connection:
            rows = connection.execute(query.limit(limit + 1)).all()
        more, rows = len(rows) > limit, rows[:limit]
        next_after = write_cursor(sort, Cursor(rows[-1].sort_key, rows[-1].id, as_of)) if more else None
        return Page([summary_from_row(row) for row in rows], next_after)


def _conditions(wanted: JobFilter, as_of: Moment | None) -> list[ColumnElement[bool]]:
    texts = [wanted.name or "", wanted.sweep_id or "", wanted.dataset_id or ""]
    texts += [*(text for label in wanted.labels for text in label)]
    if any("\0" in text for text in texts):
        return [false()]  # PostgreSQL's text cannot hold NUL, and it raises an error
    conditions: list[ColumnElement[bool]] = []
    if as_of is not None:
        conditions.append(jobs.c.created_at <= as_of.at)
    if wanted.states:
        conditions.append(_is_in(sorted(wanted.states), as_of))
    if wanted.name is not None:
        conditions.append(jobs.c.name == wanted.name)
    if wanted.sweep_id is not None:
        conditions.append(jobs.c.sweep_id == wanted.sweep_id)
    if wanted.dataset_id is not None:
        conditions.append(jobs.c.dataset_id == wanted.dataset_id)
    if wanted.created_after is not None:
        conditions.append(jobs.c.created_at > wanted.created_after)
    if wanted.created_before is not None:
        conditions.append(jobs.c.created_at < wanted.created_before)
    for key, value in wanted.labels:
        same_job = job_labels.c.job_id == jobs.c.id
        conditions.append(exists().where(same_job, job_labels.c.key == key, job_labels.c.value == value))
    return conditions


def _is_in(states: Sequence[str], as_of: Moment | None) -> ColumnElement[bool]:
    """Whether a job is in one of these states, or by its log was in one between the settled time and the moment."""
    if as_of is None:
        return jobs.c.state.in_(states)
    earlier = records.alias()
    of_job = (earlier.c.job_id == records.c.job_id, earlier.c.kind == "state", earlier.c.at < as_of.settled)
    settled_seq = select(func.coalesce(func.max(earlier.c.seq), 0)).where(*of_job).scalar_subquery()
    since = (records.c.seq >= settled_seq, records.c.at <= as_of.at)
    is_one = records.c.body["state"].as_string().in_(states)
    was = exists().where(records.c.job_id == jobs.c.id, records.c.kind == "state", *since, is_one)
    # The log matters only if the job has changed since.
    return case((jobs.c.updated_at < as_of.settled, jobs.c.state.in_(states)), else_=was)


def _behind(key: ColumnElement[Any], descending: bool, last: Cursor) -> ColumnElement[bool]:
    if descending:
        return or_(key < last.value, and_(key == last.value, jobs.c.id < last.row_id))
    return or_(key > last.value, and_(key == last.value, jobs.c.id > last.row_id))
