"""Sweeps: many jobs stored as one, cancelled and deleted as one."""

from dataclasses import asdict, replace

from sqlalchemy import delete, insert, select, update

from jobs.clock import read_clock
from jobs.errors import IllegalActionError
from jobs.ids import new_id
from jobs.model import (
    IdempotencyKey,
    Job,
    Json,
    NewSweep,
    Sweep,
    SweepMember,
    SweepSubmission,
)
from jobs.states import SWEEP_TERMINAL, TERMINAL, JobState, SweepState
from jobs.store.actions import cancel_job
from jobs.store.base import Concern
from jobs.store.log import lock_jobs
from jobs.store.needs import refuse_while_needed
from jobs.store.reading import read_referenced
from jobs.store.submission import claim_key, initial_job, insert_jobs, kept_answer
from jobs.store.sweep_reading import owned_sweep, read_sweep
from jobs.tables import artifacts, jobs, sweeps

_ORDER = "-created_at"
_NUM_MEMBERS_AT_ONCE = 200
"""The most members in one transaction: cancelling or deleting more would make the workers wait."""


class Sweeps(Concern):
    """Submitting, cancelling and deleting sweeps."""

    def submit_sweep(self, tenant: str, new_sweep: NewSweep, key: IdempotencyKey | None = None) -> SweepSubmission:
        """Store a sweep with all its members, queued and due now, or nothing.

        Raises:
            IdempotencyMismatchError: The key was used for another body.
            IdempotencyBusyError: A call with this key has not ended.
            JobNotFoundError: A job that a member needs does not exist.
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
            insert_jobs(connection, initial, self._options.priority_step_s)
        return submission

    def replay_sweep(self, tenant: str, key: IdempotencyKey) -> SweepSubmission | None:
        """Return the answer of an earlier call with this key; stores nothing.

        Raises:
            IdempotencyMismatchError: The key was used for another body.
        """
        with self._database.read() as connection:
            answer = kept_answer(connection, tenant, key, read_clock(connection) - self._options.idempotency_ttl_s)
        return None if answer is None else _replayed(answer)

    def cancel_sweep(self, tenant: str, sweep_id: str) -> tuple[Sweep, list[str]]:
        """Cancel every member that has not ended.

        Asking again is harmless, and continues an interrupted call.

        Returns:
            The sweep, and the members that this call cancelled.

        Raises:
            SweepNotFoundError: There is none, or it is another tenant's.
            IllegalActionError: It has already succeeded or failed.
        """
        with self._database.write() as connection:
            sweep = read_sweep(connection, owned_sweep(connection, tenant, sweep_id))
            if sweep.state in (SweepState.SUCCEEDED, SweepState.FAILED):
                raise IllegalActionError("cancel", sweep.state, "It has ended already.", "sweep")
            connection.execute(update(sweeps).where(sweeps.c.id == sweep_id).values(cancel_requested=True))
        cancelled: list[str] = []
        while some := self._cancel_some(sweep_id):
            cancelled += some
        with self._database.read() as connection:
            return read_sweep(connection, owned_sweep(connection, tenant, sweep_id)), cancelled

    def delete_sweep(self, tenant: str, sweep_id: str) -> list[str]:
        """Delete a sweep that has ended, with its members, their logs and artifacts.

        The sweep itself is deleted last, so that another call can continue an interrupted one.

        Returns:
            The hashes of the artifacts that no other job has: their files may be deleted.

        Raises:
            SweepNotFoundError: There is none, or it is another tenant's.
            IllegalActionError: It has not ended, or an unfinished job needs one of its members. A job that is submitted
                during the delete keeps the members that are left.
        """
        with self._database.read() as connection:
            sweep = read_sweep(connection, owned_sweep(connection, tenant, sweep_id))
            if sweep.state not in SWEEP_TERMINAL:
                remedy = "Cancel it first, and wait until it has ended."
                raise IllegalActionError("delete", sweep.state, remedy, "sweep")
            refuse_while_needed(connection, select(jobs.c.id).where(jobs.c.sweep_id == sweep_id), "sweep")
        had: set[str] = set()
        while (some := self._delete_some(sweep_id)) is not None:
            had |= some
        with self._database.write() as connection:
            connection.execute(delete(sweeps).where(sweeps.c.id == sweep_id))
            kept = read_referenced(connection, sorted(had))
        return sorted(had - kept)

    def _delete_some(self, sweep_id: str) -> set[str] | None:
        """Delete the next members, and return the hashes of their artifacts; None if no members are left."""
        with self._database.write() as connection:
            found = lock_jobs(connection, jobs.c.sweep_id == sweep_id, limit=_NUM_MEMBERS_AT_ONCE)
            if not found:
                return None
            ids = [job.id for job in found]
            refuse_while_needed(connection, ids, "sweep")
            theirs = select(artifacts.c.sha256).where(artifacts.c.job_id.in_(ids))
            had = set(connection.execute(theirs).scalars())
            connection.execute(delete(jobs).where(jobs.c.id.in_(ids)))
            return had

    def _cancel_some(self, sweep_id: str) -> list[str]:
        """Cancel the next members, and return them; none if all have ended or are being cancelled."""
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
    """The submission that was stored as the answer to an idempotent request."""
    sweep = Sweep(**{**answer["sweep"], "state": SweepState(answer["sweep"]["state"])})
    members = [SweepMember(**{**member, "state": JobState(member["state"])}) for member in answer["members"]]
    return SweepSubmission(sweep, replayed=True, members=members)
