"""Runs: claiming jobs, and what a run writes. Its id is the fence: any but the current run is refused."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, func, insert, null, or_, select, update

from jobs.clock import read_clock
from jobs.errors import StaleRunError
from jobs.ids import new_id
from jobs.model import ArtifactRow, Capabilities, ClaimedRun, JobEnd, Json, NewRecord
from jobs.states import TERMINAL, JobState, Reason, is_legal, make_reason
from jobs.store.base import Concern
from jobs.store.log import LockedJob, add_records, change_state, lock_jobs
from jobs.store.reading import read_job
from jobs.store.rows import AnyRow
from jobs.store.submission import due_now
from jobs.tables import artifacts as artifact_table
from jobs.tables import jobs, runs

_MAX_RETRY_DELAY_S = 60.0
_MAX_GROUP_LOSSES = 2
RUNNER_BYTES = 1_000_000_000
"""What a runner takes before it has any member: most of it is torch."""
_CLAIM_ORDER = (jobs.c.priority.desc(), jobs.c.created_at, jobs.c.id)


class Runs(Concern):
    """Claiming, renewing, and writing as a run."""

    def claim(self, worker_id: str, capabilities: Capabilities) -> ClaimedRun | None:
        """Take the best queued job that the worker can run, highest priority first, then oldest; or None.

        It goes to ``starting``, with a new attempt, run and lease. One that trained with others before comes with all
        of them that are waiting.
        """
        with self._database.write() as connection:
            at = read_clock(connection)
            found = _lock_best(connection, at, capabilities)
            if not found:
                return None
            group_id = found[0].group_id
            run_id = _new_run(connection, worker_id, at, at + self._options.lease_s)
            for job in found:
                _take(connection, job, run_id, at)
            companions, is_whole = _part(connection, group_id, found)
            claimed = [read_job(connection, job.tenant, job.id) for job in found]
            return ClaimedRun(run_id, claimed, group_id, companions, is_whole)

    def num_companions(self, job_id: str) -> int:
        """Return how many queued jobs could train in one pass with a claimed one."""
        with self._database.read() as connection:
            lead = connection.execute(_LEAD.where(jobs.c.id == job_id)).one_or_none()
            if lead is None or not _is_free(lead):
                return 0
            query = select(func.count()).select_from(jobs).where(*_compatible(lead, read_clock(connection)))
            return int(connection.execute(query).scalar_one())

    def fusion_key(self, job_id: str) -> str:
        """Return what a job shares with those that may train in one pass with it; empty where it trains alone."""
        with self._database.read() as connection:
            return connection.execute(select(jobs.c.fusion_key).where(jobs.c.id == job_id)).scalar_one() or ""

    def join(self, run_id: int, job_id: str, capabilities: Capabilities, limit: int, max_bytes: int) -> ClaimedRun:
        """Claim queued jobs that may train in one pass with the one job of a run, which then are a group.

        Args:
            run_id: The fence.
            job_id: Its one job.
            capabilities: Of the worker.
            limit: Most jobs to add.
            max_bytes: What all members together may take; the limits of each, `resources.max_memory_bytes`, count too.

        Returns:
            The whole run, its jobs in the order of their ids: the one job alone where nothing fits.

        Raises:
            StaleRunError: The run is not the job's current one.
        """
        with self._database.write() as connection:
            lead = _fenced(connection, run_id, job_id)
            row = connection.execute(_LEAD.where(jobs.c.id == job_id)).one()
            at = read_clock(connection)
            found: list[LockedJob] = []
            if limit > 0 and _is_free(row) and lead.state is JobState.STARTING:
                conditions = (*_compatible(row, at), _can_run(capabilities))
                found = lock_jobs(connection, *conditions, order_by=_CLAIM_ORDER, limit=limit, skip_locked=True)
                found = _within_memory(connection, lead, found, row.member_bytes, max_bytes)
            group_id = new_id("grp") if found else None
            for job in found:
                _take(connection, job, run_id, at)
            if group_id is not None:
                ids = [lead.id, *(job.id for job in found)]
                connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(group_id=group_id))
            # As `claim` has them: the place of a member in its pass decides its last bits.
            together = sorted((lead, *found), key=lambda job: job.id)
            joined = [read_job(connection, job.tenant, job.id) for job in together]
            return ClaimedRun(run_id, joined, group_id, [job.id for job in joined])

    def waiting_job(self, capabilities: Capabilities) -> str | None:
        """Return the job that `claim` would take now, without taking it."""
        with self._database.read() as connection:
            ready = _ready(read_clock(connection), capabilities)
            query = select(jobs.c.id).where(*ready).order_by(*_CLAIM_ORDER).limit(1)
            found: str | None = connection.execute(query).scalar_one_or_none()
        return found

    def renew(self, run_id: int, lease_s: float | None = None) -> bool:
        """Extend a run's lease from now and note the heartbeat; False where the run has ended.

        A heartbeat does not change a job's version.
        """
        with self._database.write() as connection:
            if not _lock_run(connection, run_id):
                return False
            at = read_clock(connection)
            until = at + (self._options.lease_s if lease_s is None else lease_s)
            connection.execute(update(runs).where(runs.c.id == run_id).values(heartbeat_at=at, lease_until=until))
            connection.execute(update(jobs).where(jobs.c.run_id == run_id).values(heartbeat_at=at))
            return True

    def start(self, run_id: int, job_id: str) -> bool:
        """Note that a claimed job now trains; False where it was cancelled or paused in the meantime.

        Raises:
            StaleRunError: The run is not the job's current one.
        """
        with self._database.write() as connection:
            return _start(connection, _fenced(connection, run_id, job_id))

    def start_all(self, run_id: int) -> dict[str, bool]:
        """`start` for every job of a run."""
        with self._database.write() as connection:
            return {job.id: _start(connection, job) for job in _fenced_all(connection, run_id)}

    def states(self, run_id: int) -> dict[str, JobState]:
        """Return the state of each job whose current run this is: a plain read, which costs next to nothing."""
        with self._database.read() as connection:
            rows = connection.execute(select(jobs.c.id, jobs.c.state).where(jobs.c.run_id == run_id))
            return {row.id: JobState(row.state) for row in rows}

    def append_all(self, run_id: int, new_records: Mapping[str, Sequence[NewRecord]]) -> None:
        """`append` for several jobs of a run, in one transaction: a checkpoint of all counts for all, or for none."""
        with self._database.write() as connection:
            locked = {job.id: job for job in _fenced_all(connection, run_id)}
            for job_id in sorted(new_records):
                if job_id not in locked:
                    raise StaleRunError(run_id, job_id)
                _append(connection, run_id, locked[job_id], new_records[job_id])

    def append(self, run_id: int, job_id: str, new_records: Sequence[NewRecord]) -> int:
        """Append records to a job's log; the last ``progress`` and ``checkpoint`` among them become the job's.

        A checkpoint is worth something only with all records before it, so it must come after them, here or in an
        earlier call. Where it is further than any before, the job gets on: its lost attempts are forgiven.

        Returns:
            How many were new: one whose kind and key the log has already is dropped.

        Raises:
            StaleRunError: The run is not the job's current one.
        """
        with self._database.write() as connection:
            return _append(connection, run_id, _fenced(connection, run_id, job_id), new_records)

    def settle(self, run_id: int, ends: Sequence[JobEnd]) -> dict[str, JobState]:
        """End a run for some of its jobs, in one transaction: `finish`, `requeue` or `lose`, as each says.

        Returns:
            The state that each job is then in.

        Raises:
            StaleRunError: The run is not the current one of one of them.
            IllegalTransitionError: A job cannot go to its state.
        """
        with self._database.write() as connection:
            locked = {job.id: job for job in _fenced_all(connection, run_id)}
            at = read_clock(connection)
            for end in ends:
                if end.job_id not in locked:
                    raise StaleRunError(run_id, end.job_id)
                _settle(connection, locked[end.job_id], end, at, self._options.max_attempts)
            end_run_if_empty(connection, run_id, at)
            return {end.job_id: locked[end.job_id].state for end in ends}

    def finish(
        self,
        run_id: int,
        job_id: str,
        state: JobState,
        reason: Json | None = None,
        result: Json | None = None,
        usage: Mapping[str, Any] | None = None,
        artifacts: Sequence[ArtifactRow] = (),
    ) -> None:
        """End a job: state, reason, result, usage and artifacts, in one transaction.

        Args:
            run_id: The fence.
            job_id: The job.
            state: ``succeeded``, ``failed`` or ``cancelled``.
            reason: The ``state_reason``; a cancelled job's says so by itself.
            result: The job's result, if it has one.
            usage: What this run used; added to what earlier ones did.
            artifacts: The artifacts, whose files are stored already.

        Raises:
            StaleRunError: The run is not the job's current one.
            IllegalTransitionError: The job cannot go to that state.
        """
        end = JobEnd(job_id=job_id, state=state, reason=reason, result=result, usage=usage or {}, artifacts=artifacts)
        self.settle(run_id, [end])

    def requeue(
        self, run_id: int, job_id: str, reason: Json | None = None, usage: Mapping[str, Any] | None = None
    ) -> JobState:
        """Give a job back, as a run that was paused or whose worker shuts down does; not a lost attempt.

        Returns:
            The job's new state: ``queued``; or ``paused`` or ``cancelled`` where that was asked for.

        Raises:
            StaleRunError: The run is not the job's current one.
        """
        end = JobEnd(job_id=job_id, state=JobState.QUEUED, reason=reason, usage=usage or {})
        return self.settle(run_id, [end])[job_id]

    def lose(
        self,
        run_id: int,
        job_id: str,
        reason: Json,
        last_reason: Json,
        usage: Mapping[str, Any] | None = None,
        artifacts: Sequence[ArtifactRow] = (),
    ) -> JobState:
        """Note that a run's process was lost: back to the queue, as `requeue`, or failed after too many in a row.

        Args:
            run_id: The fence.
            job_id: The job.
            reason: Why it is back in the queue.
            last_reason: Why it failed, where it does.
            usage: What this run used.
            artifacts: Kept where it fails.

        Raises:
            StaleRunError: The run is not the job's current one.
        """
        end = JobEnd(
            job_id=job_id,
            state=JobState.QUEUED,
            reason=reason,
            last_reason=last_reason,
            usage=usage or {},
            artifacts=artifacts,
        )
        return self.settle(run_id, [end])[job_id]


def _ready(at: float, capabilities: Capabilities) -> tuple[ColumnElement[bool], ...]:
    """Queued jobs that the worker may claim now: of a group none while a run still has one of its jobs.

    A drain gives the jobs of a group back one after the other. A claim in between would tear it apart.
    """
    others = jobs.alias()
    still_trains = exists().where(others.c.group_id == jobs.c.group_id, others.c.run_id.is_not(None))
    is_together = or_(jobs.c.group_id.is_(None), ~still_trains)
    return (jobs.c.state == JobState.QUEUED.value, jobs.c.claimable_at <= at, _can_run(capabilities), is_together)


def _lock_best(connection: Connection, at: float, capabilities: Capabilities) -> list[LockedJob]:
    """Lock the best queued job that the worker can run, with all of its group that wait; none where there is none."""
    ready = _ready(at, capabilities)
    while True:
        with connection.begin_nested() as look:
            found = lock_jobs(connection, *ready, order_by=_CLAIM_ORDER, limit=1, skip_locked=True)
            if not found or found[0].group_id is None:
                return found
            # Let go again: two claims that each hold one job of a group would wait for each other. All lock a group in
            # the order of ids, and the later one finds nothing left of it.
            look.rollback()
        group = lock_jobs(connection, jobs.c.group_id == found[0].group_id)
        waiting = [job for job in group if job.state is JobState.QUEUED]
        # Looked at once more, now under the locks: another claim may have come and gone since.
        if waiting and all(job.run_id is None for job in group):
            return waiting


_LEAD = select(
    jobs.c.tenant,
    jobs.c.fusion_key,
    jobs.c.member_bytes,
    jobs.c.alone,
    jobs.c.group_id,
    jobs.c.checkpoint,
    jobs.c.num_lost_attempts,
)


def _is_free(row: AnyRow) -> bool:
    """Whether a job may begin a group: it has not begun alone, nor with others."""
    has_begun = row.group_id is not None or row.checkpoint is not None or row.num_lost_attempts > 0
    return row.fusion_key is not None and not row.alone and not has_begun


def _compatible(lead: AnyRow, at: float) -> tuple[ColumnElement[bool], ...]:
    """Queued jobs that may begin a group with this one, and that may be taken now."""
    return (
        jobs.c.state == JobState.QUEUED.value,
        jobs.c.fusion_key == lead.fusion_key,
        jobs.c.tenant == lead.tenant,
        jobs.c.claimable_at <= at,
        jobs.c.alone.is_(False),
        jobs.c.group_id.is_(None),
        jobs.c.num_lost_attempts == 0,
        jobs.c.checkpoint.is_(null()),
    )


def _within_memory(
    connection: Connection, lead: LockedJob, found: Sequence[LockedJob], member_bytes: int, max_bytes: int
) -> list[LockedJob]:
    """As many as fit into the memory that there is, and into what each member allows the whole process."""
    ids = [lead.id, *(job.id for job in found)]
    rows = connection.execute(select(jobs.c.id, jobs.c.resolved_spec).where(jobs.c.id.in_(ids)))
    limits = {row.id: row.resolved_spec.get("resources", {}).get("max_memory_bytes") for row in rows}
    chosen = [lead]
    for job in found:
        wanted = [*chosen, job]
        needed = len(wanted) * member_bytes
        own = [limits[one.id] for one in wanted if limits[one.id] is not None]
        if needed <= max_bytes and all(RUNNER_BYTES + needed <= limit for limit in own):
            chosen = wanted
    return chosen[1:]


def _take(connection: Connection, job: LockedJob, run_id: int, at: float) -> None:
    values: Json = {"run_id": run_id, "attempt": job.attempt + 1, "heartbeat_at": at}
    change_state(connection, job, JobState.STARTING, at=at, **values)


def _part(connection: Connection, group_id: str | None, taken: Sequence[LockedJob]) -> tuple[list[str], bool]:
    """Part the jobs of a locked group that are taken from those that do not come along, which will go on alone.

    Who has ended keeps its part in a pass that goes on from a checkpoint. A pass that begins anew begins without it.

    Returns:
        All that the pass was begun with, and whether nobody else may go on from the group's checkpoints.
    """
    if group_id is None:
        return [], True
    ids = [job.id for job in taken]
    of_group = jobs.c.group_id == group_id
    lives = jobs.c.state.not_in([state.value for state in TERMINAL])
    begins_anew = taken[0].checkpoint is None  # a checkpoint of the group is one of each of its jobs
    stays = jobs.c.id.in_(ids) if begins_anew else jobs.c.id.in_(ids) | ~lives
    companions = ids
    if not begins_anew:
        companions = list(connection.execute(select(jobs.c.id).where(of_group).order_by(jobs.c.id)).scalars())
    connection.execute(update(jobs).where(of_group, ~stays).values(group_id=None))
    needs_them = (lives, jobs.c.id.not_in(ids), jobs.c.checkpoint["owner"].as_string() == group_id)
    return companions, connection.execute(select(jobs.c.id).where(*needs_them).limit(1)).first() is None


def _start(connection: Connection, job: LockedJob) -> bool:
    if job.state is JobState.STARTING:
        at = read_clock(connection)
        started_at = connection.execute(select(jobs.c.started_at).where(jobs.c.id == job.id)).scalar_one()
        first = at if started_at is None else started_at
        change_state(connection, job, JobState.RUNNING, at=at, started_at=first)
    return job.state is JobState.RUNNING


def _append(connection: Connection, run_id: int, job: LockedJob, new_records: Sequence[NewRecord]) -> int:
    at = read_clock(connection)
    latest = {record.kind: record.body for record in new_records}
    values: Json = {}
    if "progress" in latest:
        values["progress"] = latest["progress"]
    if "checkpoint" in latest:
        saved = latest["checkpoint"]
        furthest = -1 if job.checkpoint is None else job.checkpoint["furthest_step"]
        # A member that was saved apart goes on from there, and no longer with its group.
        owner = job.id if saved.get("apart") or job.group_id is None else job.group_id
        key = job.id if job.checkpoint is None else job.checkpoint.get("key", job.id)
        own = {"owner": owner, "run_id": run_id, "key": key, "furthest_step": max(furthest, saved["step"])}
        values["checkpoint"] = {**saved, **own}
        if saved.get("apart"):
            values["group_id"] = None
        if saved["step"] > furthest:
            values["num_lost_attempts"] = 0
    return add_records(connection, job, new_records, at=at, **values)


def _settle(connection: Connection, job: LockedJob, end: JobEnd, at: float, max_attempts: int) -> None:
    values: Json = {"usage": sum_usage(job.usage, end.usage)}
    if end.alone:
        values |= {"alone": True, "group_id": None}
    elif end.leaves:
        values |= {"group_id": None}
    if end.state in TERMINAL:
        _finish(connection, job, end, at, **values)
    elif end.reason is not None and end.last_reason is not None:
        reasons = {"reason": end.reason, "last_reason": end.last_reason}
        lose_job(connection, job, at, max_attempts, **reasons, **values)
    else:
        return_job(connection, job, at, reason=end.reason, **values)
    if job.state in TERMINAL:
        add_artifacts(connection, job.id, end.artifacts)


def _finish(connection: Connection, job: LockedJob, end: JobEnd, at: float, **values: Any) -> None:
    reason = end.reason
    if end.state is JobState.CANCELLED:
        reason = reason or make_reason(Reason.CANCELLED_BY_USER)
        if not is_legal(job.state, end.state):  # nobody had asked: its sweep stopped it
            change_state(connection, job, JobState.CANCELLING, at=at, reason=reason)
    if end.state is JobState.SUCCEEDED:
        values["checkpoint"] = None  # there is nothing to go on to
    change_state(connection, job, end.state, at=at, reason=reason, result=end.result, run_id=None, **values)


def return_job(
    connection: Connection, job: LockedJob, at: float, *, reason: Json | None, delay_s: float = 0, **values: Any
) -> None:
    """Take a locked job from its run: back to the queue, or to where a user asked it to go."""
    values |= {"run_id": None, "resume_requested": False}
    if job.state is JobState.CANCELLING:
        change_state(connection, job, JobState.CANCELLED, at=at, reason=make_reason(Reason.CANCELLED_BY_USER), **values)
    elif job.state is JobState.PAUSING and not job.resume_requested:
        change_state(connection, job, JobState.PAUSED, at=at, reason=make_reason(Reason.PAUSED_BY_USER), **values)
    else:
        if job.state is JobState.PAUSING:  # and resumed before it had stopped
            reason = None
        change_state(connection, job, JobState.QUEUED, at=at, reason=reason, **due_now(at, delay_s), **values)


def lose_job(
    connection: Connection,
    job: LockedJob,
    at: float,
    max_attempts: int,
    *,
    reason: Json,
    last_reason: Json,
    **values: Any,
) -> None:
    """Take a locked job from a run that was lost; after ``max_attempts`` in a row without a checkpoint it fails."""
    num_lost = job.num_lost_attempts + 1
    if job.group_id is not None and num_lost >= min(_MAX_GROUP_LOSSES, max_attempts):
        # One member may be what ends the process: each goes on alone, and the guilty one is found.
        details = {**reason["details"], "num_lost_attempts": num_lost}
        reason = make_reason(Reason.FUSION_LIMIT, f"{reason['message']} It goes on alone.", details=details)
        values |= {"alone": True, "group_id": None, "num_lost_attempts": 0}
        return_job(connection, job, at, reason=reason, **values)
        return
    details = {"attempt": job.attempt, "num_lost_attempts": num_lost, "max_attempts": max_attempts}
    values["num_lost_attempts"] = num_lost
    if num_lost >= max_attempts and job.state in (JobState.STARTING, JobState.RUNNING):
        last_reason = {**last_reason, "details": last_reason["details"] | details}
        change_state(connection, job, JobState.FAILED, at=at, reason=last_reason, run_id=None, **values)
        return
    reason = {**reason, "details": reason["details"] | details}
    return_job(connection, job, at, reason=reason, delay_s=_retry_delay_s(num_lost), **values)


def add_artifacts(connection: Connection, job_id: str, rows: Sequence[ArtifactRow]) -> None:
    """Note the files of a locked job, which then owes none."""
    if rows:
        connection.execute(insert(artifact_table), [{"job_id": job_id, **asdict(row)} for row in rows])
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(owes_files=False))


def sum_usage(before: Mapping[str, Any], run: Mapping[str, Any]) -> Json:
    """What a job has used with one more run."""
    peaks = [usage["peak_memory_bytes"] for usage in (before, run) if usage.get("peak_memory_bytes") is not None]
    return {
        "device_s": round(before.get("device_s", 0.0) + run.get("device_s", 0.0), 3),
        "peak_memory_bytes": max(peaks, default=None),
    }


def end_run_if_empty(connection: Connection, run_id: int, at: float) -> None:
    """Note that a locked run has ended once no job points at it."""
    if connection.execute(select(jobs.c.id).where(jobs.c.run_id == run_id).limit(1)).first() is None:
        connection.execute(update(runs).where(runs.c.id == run_id).values(ended_at=at))


def _can_run(capabilities: Capabilities) -> ColumnElement[bool]:
    """`Capabilities.can_take` in SQL."""
    device = jobs.c.device.in_(["auto", *sorted(capabilities.devices)])
    any_pool = jobs.c.pool.is_(None)
    return device & (any_pool if capabilities.pool is None else or_(any_pool, jobs.c.pool == capabilities.pool))


def _new_run(connection: Connection, worker_id: str, at: float, lease_until: float) -> int:
    values = {"worker_id": worker_id, "started_at": at, "heartbeat_at": at, "lease_until": lease_until}
    return int(connection.execute(insert(runs).values(values).returning(runs.c.id)).scalar_one())


def _lock_run(connection: Connection, run_id: int) -> bool:
    """Lock a run's row; False where the run has ended. Always before the rows of its jobs: no deadlock."""
    query = select(runs.c.id).where(runs.c.id == run_id, runs.c.ended_at.is_(None)).with_for_update()
    return connection.execute(query).first() is not None


def _fenced(connection: Connection, run_id: int, job_id: str) -> LockedJob:
    """Lock a run and one of its jobs, or refuse."""
    if _lock_run(connection, run_id):
        found = lock_jobs(connection, jobs.c.id == job_id, jobs.c.run_id == run_id)
        if found:
            return found[0]
    raise StaleRunError(run_id, job_id)


def _fenced_all(connection: Connection, run_id: int) -> list[LockedJob]:
    """Lock a run and all of its jobs; none where it has ended."""
    return lock_jobs(connection, jobs.c.run_id == run_id) if _lock_run(connection, run_id) else []


def _retry_delay_s(num_lost: int) -> float:
    """Nothing after the first loss, for that is seldom the job's fault; then 1 to 2 s, 2 to 4 s, … with jitter."""
    if num_lost < 2:
        return 0.0
    longest_s = min(2.0 ** (num_lost - 1), _MAX_RETRY_DELAY_S)
    return longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing
