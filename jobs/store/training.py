"""A run's writes while it trains: that its jobs have started, and their records."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select

from jobs.clock import read_clock
from jobs.model import Json, NewRecord
from jobs.states import JobState
from jobs.store.base import Concern
from jobs.store.log import Change, LockedJob, to_state, write_changes
from jobs.store.runs import lock_fenced
from jobs.tables import jobs


class Training(Concern):
    """Writing for a run that trains."""

    def start_all(self, run_id: int) -> dict[str, bool]:
        """Mark the claimed jobs of a run as running.

        Returns:
            For each job of the run whether it is running, which a job that was cancelled or paused meanwhile is not.
            None if the run has ended.
        """
        with self._database.write() as connection:
            locked = lock_fenced(connection, run_id)
            at = read_clock(connection)
            changes = [
                to_state(job, JobState.RUNNING, at=at, started_at=at if job.started_at is None else job.started_at)
                for job in locked.values()
                if job.state is JobState.STARTING
            ]
            write_changes(connection, changes, at=at)
            return {job.id: job.state is JobState.RUNNING for job in locked.values()}

    def append_all(self, run_id: int, new_records: Mapping[str, Sequence[NewRecord]]) -> None:
        """Append records to the logs of several jobs of a run, in one transaction: everything or nothing.

        A record whose kind and key are in the job's log already is dropped. The last ``progress`` and ``checkpoint`` of
        each job become the job's, and so do warnings about places of its spec, which only the rows of its data showed.

        A checkpoint is usable only with all records before it, so it must come after them, in this call or a later one.
        If it is further than any before, the job makes progress, and its lost attempts are reset.

        Raises:
            StaleRunError: The run is not the current one of one of the jobs.
        """
        with self._database.write() as connection:
            locked = lock_fenced(connection, run_id, new_records)
            at = read_clock(connection)
            changes = [_appended(run_id, locked[job_id], new) for job_id, new in new_records.items()]
            _add_warnings(connection, changes)
            write_changes(connection, changes, at=at)


def _appended(run_id: int, job: LockedJob, new_records: Sequence[NewRecord]) -> Change:
    latest = {record.kind: record.body for record in new_records}
    values: Json = {}
    if "progress" in latest:
        values["progress"] = latest["progress"]
    if "checkpoint" in latest:
        values |= _saved(run_id, job, latest["checkpoint"])
    return Change(job, new_records, values)


def _add_warnings(connection: Connection, changes: Sequence[Change]) -> None:
    """Add warnings about places of a job's spec to those that it was submitted with, each once: runs repeat them."""
    found = {
        change.job.id: [one.body for one in change.new_records if one.kind == "warning" and "pointer" in one.body]
        for change in changes
    }
    ids = [job_id for job_id, warnings in found.items() if warnings]
    if not ids:
        return
    query = select(jobs.c.id, jobs.c.warnings).where(jobs.c.id.in_(ids))
    known: dict[str, list[Json]] = {row.id: row.warnings for row in connection.execute(query)}
    for change in changes:
        before = known.get(change.job.id, [])
        if new := [warning for warning in found[change.job.id] if warning not in before]:
            change.values["warnings"] = [*before, *new]


def _saved(run_id: int, job: LockedJob, saved: Json) -> Json:
    """The columns of a job with a new checkpoint."""
    furthest = -1 if job.checkpoint is None else job.checkpoint["furthest_step"]
    # A member that was saved separately resumes from there, and no longer with its group.
    is_apart = bool(saved.get("apart"))
    owner = job.id if is_apart or job.group_id is None else job.group_id
    key = job.id if job.checkpoint is None else job.checkpoint.get("key", job.id)
    own = {"owner": owner, "run_id": run_id, "key": key, "furthest_step": max(furthest, saved["step"])}
    values: Json = {"checkpoint": {**saved, **own}}
    if is_apart:
        values["group_id"] = None
    if saved["step"] > furthest:
        values["num_lost_attempts"] = 0
    return values
