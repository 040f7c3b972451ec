"""Jobs and data sets that accepted jobs need: they cannot be deleted until these have ended.

A job that takes weights or a checkpoint from another names it in ``NewJob.needs``, and its data set in
``NewJob.dataset_id``. Submitting locks the named rows, so a delete at the same time comes either before it, and the
submit fails, or after it, and the delete is refused.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Select, insert, select

from jobs.errors import DatasetNotFoundError, IllegalActionError, JobNotFoundError
from jobs.model import Job, NewJob
from jobs.states import TERMINAL
from jobs.tables import datasets, job_needs, jobs

_NUM_NAMED = 3


def hold_needs(connection: Connection, new: Sequence[tuple[Job, NewJob]]) -> None:
    """Store the needs of one tenant's new jobs, whose rows are stored already, and lock the needed jobs against
    deletion.

    Raises:
        JobNotFoundError: A needed job was deleted, or is another tenant's.
        IllegalActionError: The checkpoint to resume from was deleted.
    """
    rows = [{"job_id": job.id, "needed_id": needed} for job, new_job in new for needed in new_job.needs]
    if not rows:
        return
    wanted = sorted({row["needed_id"] for row in rows})
    query = select(jobs.c.id, jobs.c.checkpoint.is_not(None)).order_by(jobs.c.id)
    query = query.where(jobs.c.id.in_(wanted), jobs.c.tenant == new[0][0].tenant)
    has_checkpoint = {row.id: row[1] for row in connection.execute(query.with_for_update(read=True))}
    missing = set(wanted) - has_checkpoint.keys()
    if missing:
        raise JobNotFoundError(min(missing))
    if any(new_job.checkpoint and not has_checkpoint.get(str(new_job.parent_job_id)) for _, new_job in new):
        remedy = "Checkpoints of jobs that have ended are kept for REGCORE_KEEP_CHECKPOINTS_S. Start from scratch."
        raise IllegalActionError("go on from", "without its checkpoint", remedy)
    connection.execute(insert(job_needs), rows)


def hold_datasets(connection: Connection, new_jobs: Sequence[Job]) -> None:
    """Lock the data sets of one tenant's new jobs against deletion, until the jobs' rows are committed.

    Raises:
        DatasetNotFoundError: One was deleted, or is another tenant's.
    """
    wanted = sorted({job.dataset_id for job in new_jobs if job.dataset_id is not None})
    if not wanted:
        return
    query = select(datasets.c.id).where(datasets.c.id.in_(wanted), datasets.c.tenant == new_jobs[0].tenant)
    found = set(connection.execute(query.order_by(datasets.c.id).with_for_update(read=True)).scalars())
    if missing := set(wanted) - found:
        raise DatasetNotFoundError(min(missing))


def refuse_while_needed(connection: Connection, job_ids: Sequence[str] | Select[tuple[str]], what: str) -> None:
    """Check that no unfinished job needs one of these. The caller has locked their rows.

    Args:
        connection: The transaction.
        job_ids: The jobs to delete, or a query for them.
        what: The word for them in the error.

    Raises:
        IllegalActionError: One does; the error names it.
    """
    users = select(jobs.c.id, jobs.c.state).join(job_needs, job_needs.c.job_id == jobs.c.id).distinct()
    _refuse_while_used(connection, users.where(job_needs.c.needed_id.in_(job_ids)), what)


def refuse_while_trained_on(connection: Connection, dataset_id: str) -> None:
    """Check that no unfinished job trains on a data set. The caller has locked its row.

    Raises:
        IllegalActionError: One does; the error names it.
    """
    users = select(jobs.c.id, jobs.c.state).where(jobs.c.dataset_id == dataset_id)
    _refuse_while_used(connection, users, "data set")


def _refuse_while_used(connection: Connection, users: Select[tuple[str, str]], what: str) -> None:
    unfinished = users.where(jobs.c.state.not_in([state.value for state in TERMINAL])).order_by(jobs.c.id)
    found = connection.execute(unfinished.limit(_NUM_NAMED + 1)).all()
    if found:
        names = [f"{row.id} ({row.state})" for row in found[:_NUM_NAMED]]
        names += ["others"] if len(found) > _NUM_NAMED else []
        told = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        one = len(names) == 1
        remedy = f"Wait until {'it has' if one else 'they have'} ended, or cancel {'it' if one else 'them'} first."
        raise IllegalActionError("delete", f"needed by {told}", remedy, what)
