"""Reading one job: itself, its log, its artifacts."""

from collections.abc import Collection, Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, Table, select, tuple_

from jobs.errors import ArtifactNotFoundError, JobNotFoundError
from jobs.model import ArtifactRow, Job, LogHead, RecordRow
from jobs.states import TERMINAL, JobState
from jobs.store.base import Concern
from jobs.store.rows import JOB_COLUMNS, AnyRow, is_job, job_from_row
from jobs.tables import artifacts, datasets, jobs, records, runs

_NUM_VALUES_PER_QUERY = 500
_NUM_SHOWN = 3
"""How many existing ids an error about a missing one names."""
_MAX_SEQ = 2**31 - 1
T = TypeVar("T")


class Reading(Concern):
    """Reading one job."""

    def get(self, tenant: str, job_id: str) -> Job:
        """Return a job.

        Raises:
            JobNotFoundError: There is none, or it is another tenant's.
        """
        with self._database.read() as connection:
            return read_job(connection, tenant, job_id)

    def state(self, tenant: str, job_id: str) -> JobState:
        """Return only a job's state: the cheap way to ask whether it has ended.

        Raises:
            JobNotFoundError: There is none, or it is another tenant's.
        """
        with self._database.read() as connection:
            return JobState(_owned(connection, tenant, job_id).state)

    def states_among(self, tenant: str, job_ids: Collection[str]) -> dict[str, JobState]:
        """Return the states of the tenant's existing jobs among these, in one query."""
        found: dict[str, JobState] = {}
        ids = [job_id for job_id in dict.fromkeys(job_ids) if "\0" not in job_id]
        with self._database.read() as connection:
            for start in range(0, len(ids), _NUM_VALUES_PER_QUERY):
                some = ids[start : start + _NUM_VALUES_PER_QUERY]
                query = select(jobs.c.id, jobs.c.state).where(jobs.c.tenant == tenant, jobs.c.id.in_(some))
                found |= {row.id: JobState(row.state) for row in connection.execute(query)}
        return found

    def log_head(self, tenant: str, job_id: str) -> LogHead:
        """Return how far a job's log reaches, and the job's state.

        Raises:
            JobNotFoundError: There is none, or it is another tenant's.
        """
        with self._database.read() as connection:
            row = _owned(connection, tenant, job_id)
        return LogHead(JobState(row.state), row.last_seq)

    def records(
        self,
        tenant: str,
        job_id: str,
        after: int = 0,
        limit: int = 1000,
        kinds: Collection[str] | None = None,
    ) -> list[RecordRow]:
        """Return up to ``limit`` records of these kinds (all if None) numbered above ``after``, in order.

        Raises:
            JobNotFoundError: There is no such job, or it is another tenant's.
        """
        with self._database.read() as connection:
            _owned(connection, tenant, job_id)
            return read_records(connection, job_id, after=after, limit=limit, kinds=kinds)

    def artifacts(self, tenant: str, job_id: str) -> list[ArtifactRow]:
        """Return a job's artifacts, by name.

        Raises:
            JobNotFoundError: There is no such job, or it is another tenant's.
        """
        with self._database.read() as connection:
            _owned(connection, tenant, job_id)
            return _artifacts_of(connection, job_id)

    def artifact(self, tenant: str, job_id: str, name: str) -> ArtifactRow:
        """Return one artifact of a job.

        Raises:
            JobNotFoundError: There is no such job, or it is another tenant's.
            ArtifactNotFoundError: The job has none of that name.
        """
        with self._database.read() as connection:
            _owned(connection, tenant, job_id)
            found = None if "\0" in name else read_artifact(connection, job_id, name)
            if found is None:
                raise ArtifactNotFoundError(name, [one.name for one in _artifacts_of(connection, job_id)])
        return found

    def referenced(self, sha256s: Sequence[str]) -> set[str]:
        """Return the hashes that an artifact or a data set of any tenant has."""
        with self._database.read() as connection:
            return read_referenced(connection, sha256s)

    def needed_owners(self, owner_ids: Sequence[str]) -> set[str]:
        """Return the ids, of jobs and groups, whose checkpoints an unfinished job may resume from."""
        with self._database.read() as connection:
            return read_needed_owners(connection, owner_ids)

    def succeeded_owners(self, owner_ids: Sequence[str]) -> set[str]:
        """Return the ids, of jobs and groups, whose jobs have all succeeded.

        A dissolved group that no job names any more counts. An unknown job does not: it may belong to another database,
        or to this one once a backup is restored.
        """
        with self._database.read() as connection:
            known = _among(connection, jobs.c.id, owner_ids) | {one for one in owner_ids if one.startswith("grp_")}
            return known - _named(connection, owner_ids, jobs.c.state != JobState.SUCCEEDED.value)

    def live_runs(self, run_ids: Sequence[int]) -> set[int]:
        """Return the runs that have not ended."""
        with self._database.read() as connection:
            return _among(connection, runs.c.id, run_ids, runs.c.ended_at.is_(None))


def no_such_job(connection: Connection, tenant: str, job_id: str) -> JobNotFoundError:
    """Return the error for a job that the tenant does not have, naming some that it has."""
    return JobNotFoundError(job_id, newest_ids(connection, jobs, tenant))


def newest_ids(connection: Connection, table: Table, tenant: str) -> list[str]:
    """Return the ids of the tenant's newest few rows, for the error about a missing one."""
    query = select(table.c.id).where(table.c.tenant == tenant).order_by(table.c.created_at.desc(), table.c.id.desc())
    return list(connection.execute(query.limit(_NUM_SHOWN)).scalars())


def _artifacts_of(connection: Connection, job_id: str) -> list[ArtifactRow]:
    query = select(artifacts).where(artifacts.c.job_id == job_id).order_by(artifacts.c.name)
    return [_artifact(row) for row in connection.execute(query)]


def read_artifact(connection: Connection, job_id: str, name: str) -> ArtifactRow | None:
    """Return one artifact of a job; None if it has none of that name."""
    query = select(artifacts).where(artifacts.c.job_id == job_id, artifacts.c.name == name)
    row = connection.execute(query).one_or_none()
    return None if row is None else _artifact(row)


def read_all_artifacts(connection: Connection, after: tuple[str, str], limit: int) -> list[tuple[str, ArtifactRow]]:
    """Return the next artifacts after this one, of all tenants, each with its job's id, sorted by job id and name."""
    query = select(artifacts).where(tuple_(artifacts.c.job_id, artifacts.c.name) > after)
    rows = connection.execute(query.order_by(artifacts.c.job_id, artifacts.c.name).limit(limit))
    return [(row.job_id, _artifact(row)) for row in rows]


def read_referenced(connection: Connection, sha256s: Sequence[str]) -> set[str]:
    """Return the hashes that an artifact or a data set of any tenant has."""
    columns = (artifacts.c.sha256, datasets.c.sha256, datasets.c.table_sha256)
    return set().union(*(_among(connection, column, sha256s) for column in columns))


def read_needed_owners(connection: Connection, owner_ids: Sequence[str]) -> set[str]:
    """Return the ids, of jobs and groups, whose checkpoints an unfinished job may resume from."""
    return _named(connection, owner_ids, jobs.c.state.not_in([state.value for state in TERMINAL]))


def _named(connection: Connection, owner_ids: Sequence[str], condition: ColumnElement[bool]) -> set[str]:
    """Return the owners whose checkpoints a job of this condition uses: its own, its group's, or another job's."""
    columns = (jobs.c.id, jobs.c.group_id, jobs.c.checkpoint["owner"].as_string())
    return set().union(*(_among(connection, column, owner_ids, condition) for column in columns))


def _among(
    connection: Connection, column: ColumnElement[T], values: Sequence[T], *conditions: ColumnElement[bool]
) -> set[T]:
    """Return the values that occur in rows of these conditions."""
    found: set[T] = set()
    for start in range(0, len(values), _NUM_VALUES_PER_QUERY):
        some = values[start : start + _NUM_VALUES_PER_QUERY]
        found.update(connection.execute(select(column).where(column.in_(some), *conditions)).scalars())
    return found


def read_job(connection: Connection, tenant: str, job_id: str) -> Job:
    """Return a job as the transaction sees it.

    Raises:
        JobNotFoundError: There is none, or it is another tenant's.
    """
    query = select(*JOB_COLUMNS).where(is_job(job_id, tenant))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise no_such_job(connection, tenant, job_id)
    return job_from_row(row, read_records(connection, job_id, kinds=["state"]))


def read_jobs(connection: Connection, job_ids: Sequence[str]) -> list[Job]:
    """Return jobs of any tenant as the transaction sees them, in the order of their ids."""
    rows = connection.execute(select(*JOB_COLUMNS).where(jobs.c.id.in_(job_ids)).order_by(jobs.c.id)).all()
    steps: dict[str, list[RecordRow]] = {row.id: [] for row in rows}
    query = select(records).where(records.c.job_id.in_(job_ids), records.c.kind == "state").order_by(records.c.seq)
    for row in connection.execute(query):
        steps[row.job_id].append(RecordRow(row.seq, row.at, row.kind, row.body))
    return [job_from_row(row, steps[row.id]) for row in rows]


def read_records(
    connection: Connection,
    job_id: str,
    *,
    after: int = 0,
    limit: int | None = None,
    kinds: Collection[str] | None = None,
) -> list[RecordRow]:
    """Return the records of a job's log as the transaction sees it."""
    query = select(records.c.seq, records.c.at, records.c.kind, records.c.body).where(
        records.c.job_id == job_id, records.c.seq > min(after, _MAX_SEQ)
    )
    if kinds is not None:
        query = query.where(records.c.kind.in_(sorted(kinds)))
    rows = connection.execute(query.order_by(records.c.seq).limit(limit))
    return [RecordRow(row.seq, row.at, row.kind, row.body) for row in rows]


def _owned(connection: Connection, tenant: str, job_id: str) -> AnyRow:
    query = select(jobs.c.state, jobs.c.last_seq).where(is_job(job_id, tenant))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise no_such_job(connection, tenant, job_id)
    return row


def _artifact(row: AnyRow) -> ArtifactRow:
    return ArtifactRow(row.name, row.size_bytes, row.sha256, row.media_type)
