"""Reading sweeps: one, lists of them, and their members, which are shown in their present state."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, false, func, null, or_, select

from jobs.errors import SweepNotFoundError
from jobs.model import (
    Json,
    Page,
    Sweep,
    SweepFilter,
    SweepMember,
    SweepSummary,
)
from jobs.states import SWEEP_TERMINAL, JobState, Reason, sweep_state
from jobs.store.base import Concern
from jobs.store.cursors import Cursor, read_cursor, write_cursor
from jobs.store.reading import newest_ids
from jobs.store.rows import AnyRow
from jobs.tables import jobs, sweep_rungs, sweeps

_ORDER = "-created_at"


def read_sweep_place(after: str) -> Cursor:
    """Return the place that a cursor of a list of sweeps names.

    Raises:
        InvalidCursorError: It is not one.
    """
    return read_cursor(after, _ORDER, float)


class SweepReading(Concern):
    """Reading sweeps."""

    def get_sweep(self, tenant: str, sweep_id: str) -> Sweep:
        """Return a sweep.

        Raises:
            SweepNotFoundError: There is none, or it is another tenant's.
        """
        with self._database.read() as connection:
            return read_sweep(connection, owned_sweep(connection, tenant, sweep_id))

    def list_sweeps(
        self, tenant: str, wanted: SweepFilter | None = None, after: str | None = None, limit: int = 50
    ) -> Page[SweepSummary]:
        """Return a page of the sweeps that meet the filter, the newest first.

        Raises:
            InvalidCursorError: ``after`` is not a cursor of this list.
        """
        conditions = [sweeps.c.tenant == tenant, *_conditions(wanted or SweepFilter())]
        if after is not None:
            last = read_sweep_place(after)
            same = and_(sweeps.c.created_at == last.value, sweeps.c.id < last.row_id)
            conditions.append(or_(sweeps.c.created_at < last.value, same))
        query = select(sweeps).where(*conditions).order_by(sweeps.c.created_at.desc(), sweeps.c.id.desc())
        with self._database.read() as connection:
            rows = connection.execute(query.limit(limit + 1)).all()
            more, rows = len(rows) > limit, rows[:limit]
            members = _summed_up(connection, [row.id for row in rows])
        data = [SweepSummary(**_fields(row, members[row.id])) for row in rows]
        return Page(data, write_cursor(_ORDER, Cursor(rows[-1].created_at, rows[-1].id)) if more else None)

    def sweep_members(
        self, tenant: str, sweep_id: str, metric: str, *, with_results: bool = False
    ) -> list[SweepMember]:
        """Return a sweep's members in the order in which they were created, each with this metric.

        Raises:
            SweepNotFoundError: There is none, or it is another tenant's.
        """
        columns: list[ColumnElement[Any]] = [jobs.c.id, jobs.c.state, jobs.c.sweep]
        columns.append(jobs.c.state_reason["code"].as_string().label("why"))
        columns.append(jobs.c.result[("metrics", metric)].as_float().label("objective"))
        columns.append(jobs.c.result if with_results else null().label("result"))
        query = select(*columns).where(jobs.c.sweep_id == sweep_id).order_by(jobs.c.id)
        with self._database.read() as connection:
            owned_sweep(connection, tenant, sweep_id)
            rungs = _last_rungs(connection, sweep_id)
            return [_member(row, *rungs.get(row.id, (0, None))) for row in connection.execute(query)]


def owned_sweep(connection: Connection, tenant: str, sweep_id: str) -> AnyRow:
    """Return the row of a tenant's sweep.

    Raises:
        SweepNotFoundError: There is none, or it is another tenant's.
    """
    # PostgreSQL's text cannot hold NUL, and it raises an error.
    owned = false() if "\0" in sweep_id else (sweeps.c.id == sweep_id) & (sweeps.c.tenant == tenant)
    row = connection.execute(select(sweeps).where(owned)).one_or_none()
    if row is None:
        raise SweepNotFoundError(sweep_id, newest_ids(connection, sweeps, tenant))
    return row


def read_sweep(connection: Connection, row: AnyRow) -> Sweep:
    """Return the sweep of a row, with the states of its members as the transaction sees them."""
    return Sweep(**_fields(row, _summed_up(connection, [row.id])[row.id]), spec=row.spec)


def _summed_up(connection: Connection, sweep_ids: Sequence[str]) -> dict[str, Json]:
    """A summary of the members of each sweep, by the sweep's id."""
    why = jobs.c.state_reason["code"].as_string().label("why")
    query = select(
        jobs.c.sweep_id,
        jobs.c.state,
        why,
        func.count().label("num"),
        func.min(jobs.c.started_at).label("first"),
        func.max(jobs.c.finished_at).label("last"),
    )
    query = query.where(jobs.c.sweep_id.in_(sweep_ids)).group_by(jobs.c.sweep_id, jobs.c.state, why)
    found: dict[str, list[AnyRow]] = {sweep_id: [] for sweep_id in sweep_ids}
    for row in connection.execute(query):
        found[row.sweep_id].append(row)
    return {sweep_id: _sum(rows) for sweep_id, rows in found.items()}


def _sum(rows: Sequence[AnyRow]) -> Json:
    counts = dict.fromkeys(JobState, 0)
    for row in rows:
        counts[JobState(row.state)] += row.num
    return {
        "counts": counts,
        "num_halved": sum(row.num for row in rows if row.why == Reason.HALVED and row.state == JobState.CANCELLED),
        "started_at": min((row.first for row in rows if row.first is not None), default=None),
        "finished_at": max((row.last for row in rows if row.last is not None), default=None),
    }


def _fields(row: AnyRow, members: Json) -> Json:
    halved = members["num_halved"]
    state = sweep_state(members["counts"], num_halved=halved, cancel_requested=row.cancel_requested)
    return {
        "id": row.id,
        "tenant": row.tenant,
        "name": row.name,
        "labels": row.labels,
        "num_members": row.num_members,
        "created_at": row.created_at,
        **members,
        "state": state,
        "counts": {state.value: num for state, num in members["counts"].items()},
        "finished_at": members["finished_at"] if state in SWEEP_TERMINAL else None,
    }


def _last_rungs(connection: Connection, sweep_id: str) -> dict[str, tuple[int, float | None]]:
    """The last epoch at which each member of a halving was judged, and its metric then."""
    columns = (sweep_rungs.c.job_id, sweep_rungs.c.epoch, sweep_rungs.c.value)
    query = select(*columns).where(sweep_rungs.c.sweep_id == sweep_id).order_by(sweep_rungs.c.epoch)
    return {row.job_id: (row.epoch, row.value) for row in connection.execute(query)}


def _member(row: AnyRow, rung: int, rung_value: float | None) -> SweepMember:
    return SweepMember(
        id=row.id,
        state=JobState(row.state),
        candidate=row.sweep["candidate"],
        variant=row.sweep["variant"],
        values=row.sweep["values"],
        seed=row.sweep["seed"],
        objective=row.objective,
        was_halved=row.state == JobState.CANCELLED and row.why == Reason.HALVED,
        rung=rung,
        rung_value=rung_value,
        result=row.result,
    )


def _conditions(wanted: SweepFilter) -> list[ColumnElement[bool]]:
    if any("\0" in text for text in [wanted.name or "", *(text for label in wanted.labels for text in label)]):
        return [false()]  # PostgreSQL has no text with NUL, and raises at it
    conditions: list[ColumnElement[bool]] = []
    if wanted.name is not None:
        conditions.append(sweeps.c.name == wanted.name)
    if wanted.created_after is not None:
        conditions.append(sweeps.c.created_at > wanted.created_after)
    if wanted.created_before is not None:
        conditions.append(sweeps.c.created_at < wanted.created_before)
    conditions += [sweeps.c.labels[key].as_string() == value for key, value in wanted.labels]
    return conditions
