"""Sweeps: many jobs stored as one, seen as one, cancelled and deleted as one."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, false, func, insert, null, or_, select, update

from jobs.clock import read_clock
from jobs.errors import IllegalActionError, SweepNotFoundError
from jobs.ids import new_id
from jobs.model import (
    IdempotencyKey,
    Job,
    Json,
    NewSweep,
    Page,
    Sweep,
    SweepFilter,
    SweepMember,
    SweepSubmission,
    SweepSummary,
)
from jobs.states import SWEEP_TERMINAL, TERMINAL, JobState, Reason, SweepState, sweep_state
from jobs.store.actions import cancel_job
from jobs.store.base import Concern
from jobs.store.cursors import read_cursor, write_cursor
from jobs.store.log import lock_jobs
from jobs.store.reading import read_referenced
from jobs.store.rows import AnyRow
from jobs.store.submission import claim_key, initial_job, insert_jobs, kept_answer
from jobs.tables import artifacts, jobs, sweeps

_ORDER = "-created_at"
_NUM_MEMBERS_AT_ONCE = 200
"""A transaction that cancels or deletes more would keep the workers waiting."""


class Sweeps(Concern):
    """Sweeps."""

    def submit_sweep(self, tenant: str, new_sweep: NewSweep, key: IdempotencyKey | None = None) -> SweepSubmission:
        """Store a sweep with all its members, queued and due now, or nothing of it.

        Raises:
            IdempotencyMismatchError: The key was used for another body.
            IdempotencyBusyError: A call with this key has not ended.
        """
        with self._database.write() as connection:
            at = read_clock(connection)
            sweep = _initial_sweep(tenant, new_sweep, at)
            members = [replace(new, sweep={"id": sweep.id, **(new.sweep or {})}) for new in new_sweep.members]
            initial = [(initial_job(tenant, new, at), new) for new in members]
            submission = SweepSubmission(sweep, replayed=False, members=[_initial_member(job) for job, _ in initial])
            kept = asdict(submission) if key is not None else {}
            answer = claim_key(connection, tenant, key, kept, at, self._options.idempotency_ttl_s)
            if answer is not None:
                return _replayed(answer)
            row = {column.name: getattr(sweep, column.name) for column in sweeps.c if hasattr(sweep, column.name)}
            connection.execute(insert(sweeps).values(**row, cancel_requested=False))
            insert_jobs(connection, initial)
        return submission

    def replay_sweep(self, tenant: str, key: IdempotencyKey) -> SweepSubmission | None:
        """Return what an earlier call with this key got, without storing anything.

        Raises:
            IdempotencyMismatchError: The key was used for another body.
        """
        with self._database.read() as connection:
            answer = kept_answer(connection, tenant, key, read_clock(connection) - self._options.idempotency_ttl_s)
        return None if answer is None else _replayed(answer)

    def get_sweep(self, tenant: str, sweep_id: str) -> Sweep:
        """Return a sweep.

        Raises:
            SweepNotFoundError: There is none, or it is another tenant's.
        """
        with self._database.read() as connection:
            return _read_sweep(connection, _owned(connection, tenant, sweep_id))

    def list_sweeps(
        self, tenant: str, wanted: SweepFilter | None = None, after: str | None = None, limit: int = 50
    ) -> Page[SweepSummary]:
        """Return a page of the sweeps that meet the filter, the newest first.

        Raises:
            InvalidCursorError: ``after`` is not a cursor of this list.
        """
        conditions = [sweeps.c.tenant == tenant, *_conditions(wanted or SweepFilter())]
        if after is not None:
            value, sweep_id = read_cursor(after, _ORDER, float)
            same = and_(sweeps.c.created_at == value, sweeps.c.id < sweep_id)
            conditions.append(or_(sweeps.c.created_at < value, same))
        query = select(sweeps).where(*conditions).order_by(sweeps.c.created_at.desc(), sweeps.c.id.desc())
        with self._database.read() as connection:
            rows = connection.execute(query.limit(limit + 1)).all()
            more, rows = len(rows) > limit, rows[:limit]
            members = _summed_up(connection, [row.id for row in rows])
        data = [SweepSummary(**_fields(row, members[row.id])) for row in rows]
        return Page(data, write_cursor(_ORDER, rows[-1].created_at, rows[-1].id) if more else None)

    def sweep_members(
        self, tenant: str, sweep_id: str, metric: str, *, with_results: bool = False
    ) -> list[SweepMember]:
        """Return a sweep's members in the order of their making, each with this metric.

        Raises:
            SweepNotFoundError: There is none, or it is another tenant's.
        """
        columns: list[ColumnElement[Any]] = [jobs.c.id, jobs.c.state, jobs.c.sweep]
        columns.append(jobs.c.result[("metrics", metric)].as_float().label("objective"))
        columns.append(jobs.c.result if with_results else null().label("result"))
        query = select(*columns).where(jobs.c.sweep_id == sweep_id).order_by(jobs.c.id)
        with self._database.read() as connection:
            _owned(connection, tenant, sweep_id)
            return [_member(row) for row in connection.execute(query)]

    def cancel_sweep(self, tenant: str, sweep_id: str) -> tuple[Sweep, list[str]]:
        """Cancel every member that has not ended; what has ended stays.

        Asking again is harmless, and goes on where a call before was cut off.

        Returns:
            The sweep, and the members that were cancelled now.

        Raises:
            SweepNotFoundError: There is none, or it is another tenant's.
            IllegalActionError: It has already succeeded or failed.
        """
        with self._database.write() as connection:
            sweep = _read_sweep(connection, _owned(connection, tenant, sweep_id))
            if sweep.state in (SweepState.SUCCEEDED, SweepState.FAILED):
                raise IllegalActionError("cancel", sweep.state, "It has ended already.", "sweep")
            connection.execute(update(sweeps).where(sweeps.c.id == sweep_id).values(cancel_requested=True))
        cancelled: list[str] = []
        while some := self._cancel_some(sweep_id):
            cancelled += some
        return self.get_sweep(tenant, sweep_id), cancelled

    def delete_sweep(self, tenant: str, sweep_id: str) -> list[str]:
        """Delete a sweep that has ended, with its members, their logs and artifacts.

        The sweep itself goes last: where a call was cut off, another goes on.

        Returns:
            The hashes of the artifacts that no other job has: their files may go.

        Raises:
            SweepNotFoundError: There is none, or it is another tenant's.
            IllegalActionError: It has not ended.
        """
        with self._database.read() as connection:
            sweep = _read_sweep(connection, _owned(connection, tenant, sweep_id))
        if sweep.state not in SWEEP_TERMINAL:
            remedy = "Cancel it first, and wait until it has ended."
            raise IllegalActionError("delete", sweep.state, remedy, "sweep")
        had: set[str] = set()
        while (some := self._delete_some(sweep_id)) is not None:
            had |= some
        with self._database.write() as connection:
            connection.execute(delete(sweeps).where(sweeps.c.id == sweep_id))
            kept = read_referenced(connection, sorted(had))
        return sorted(had - kept)

    def _delete_some(self, sweep_id: str) -> set[str] | None:
        """Delete the next members, and return the hashes of their artifacts; None where there are none left."""
        with self._database.write() as connection:
            found = lock_jobs(connection, jobs.c.sweep_id == sweep_id, limit=_NUM_MEMBERS_AT_ONCE)
            if not found:
                return None
            ids = [job.id for job in found]
            theirs = select(artifacts.c.sha256).where(artifacts.c.job_id.in_(ids))
            had = set(connection.execute(theirs).scalars())
            connection.execute(delete(jobs).where(jobs.c.id.in_(ids)))
            return had

    def _cancel_some(self, sweep_id: str) -> list[str]:
        """Cancel the next members, and return them; none once every one has ended or is about to."""
        done = [state.value for state in (*TERMINAL, JobState.CANCELLING)]
        with self._database.write() as connection:
            at = read_clock(connection)
            left = (jobs.c.sweep_id == sweep_id, jobs.c.state.not_in(done))
            found = lock_jobs(connection, *left, limit=_NUM_MEMBERS_AT_ONCE)
            for job in found:
                cancel_job(connection, job, at)
            return [job.id for job in found]


def _initial_sweep(tenant: str, new: NewSweep, at: float) -> Sweep:
    counts = {state.value: 0 for state in JobState} | {JobState.QUEUED.value: len(new.members)}
    return Sweep(
        id=new_id("swp"),
        tenant=tenant,
        name=new.name,
        labels=dict(new.labels),
        spec=new.spec,
        num_members=len(new.members),
        state=SweepState.QUEUED,
        counts=counts,
        num_halved=0,
        created_at=at,
        started_at=None,
        finished_at=None,
    )


def _initial_member(job: Job) -> SweepMember:
    place = job.sweep or {}
    own = {name: place[name] for name in ("candidate", "variant", "values", "seed")}
    return SweepMember(id=job.id, state=job.state, objective=None, **own)


def _replayed(answer: Json) -> SweepSubmission:
    """The submission that was kept as the answer to an idempotent request."""
    sweep = Sweep(**{**answer["sweep"], "state": SweepState(answer["sweep"]["state"])})
    members = [SweepMember(**{**member, "state": JobState(member["state"])}) for member in answer["members"]]
    return SweepSubmission(sweep, replayed=True, members=members)


def _owned(connection: Connection, tenant: str, sweep_id: str) -> AnyRow:
    # PostgreSQL has no text with NUL, and raises at it.
    owned = false() if "\0" in sweep_id else (sweeps.c.id == sweep_id) & (sweeps.c.tenant == tenant)
    row = connection.execute(select(sweeps).where(owned)).one_or_none()
    if row is None:
        raise SweepNotFoundError(sweep_id)
    return row


def _read_sweep(connection: Connection, row: AnyRow) -> Sweep:
    return Sweep(**_fields(row, _summed_up(connection, [row.id])[row.id]), spec=row.spec)


def _summed_up(connection: Connection, sweep_ids: Sequence[str]) -> dict[str, Json]:
    """What is known of the members of each sweep, by the sweep's id."""
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


def _member(row: AnyRow) -> SweepMember:
    return SweepMember(
        id=row.id,
        state=JobState(row.state),
        candidate=row.sweep["candidate"],
        variant=row.sweep["variant"],
        values=row.sweep["values"],
        seed=row.sweep["seed"],
        objective=row.objective,
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
