"""Submitting a job, and giving a repeated request the first answer again."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from jobs.clock import read_clock
from jobs.errors import IdempotencyBusyError, IdempotencyMismatchError
from jobs.ids import new_id
from jobs.model import PRIORITIES, IdempotencyKey, Job, Json, NewJob, Submission, Transition
from jobs.states import JobState
from jobs.store.base import Concern
from jobs.store.log import state_body
from jobs.store.needs import hold_datasets, hold_needs
from jobs.store.plugins import plugins_as_text
from jobs.store.rows import job_from_json, job_to_json
from jobs.tables import idempotency, job_labels, jobs, records

_BUSY_AFTER_S = 2


class Submissions(Concern):
    """Submitting."""

    def submit(self, tenant: str, new_job: NewJob, key: IdempotencyKey | None = None) -> Submission:
        """Store a queued job with its first record and its idempotency key, or nothing.

        Raises:
            IdempotencyMismatchError: The key was used for another body.
            IdempotencyBusyError: A call with this key has not ended.
            JobNotFoundError: A job that it needs does not exist.
            DatasetNotFoundError: Its data set does not exist.
        """
        with self._database.write() as connection:
            at = read_clock(connection)
            job = initial_job(tenant, new_job, at)
            answer = claim_key(connection, tenant, key, job_to_json(job), at, self._options.idempotency_ttl_s)
            if answer is not None:
                return Submission(job_from_json(answer), replayed=True)
            insert_jobs(connection, [(job, new_job)], self._options.priority_step_s)
        return Submission(job, replayed=False)

    def replay(self, tenant: str, key: IdempotencyKey) -> Job | None:
        """Return the job that an earlier call with this key created; stores nothing.

        Raises:
            IdempotencyMismatchError: The key was used for another body.
        """
        answer = self.recall(tenant, key)
        return None if answer is None else job_from_json(answer)

    def recall(self, tenant: str, key: IdempotencyKey) -> Json | None:
        """Return the answer that an earlier call with this key got.

        Raises:
            IdempotencyMismatchError: The key was used for another body.
        """
        with self._database.read() as connection:
            return kept_answer(connection, tenant, key, read_clock(connection) - self._options.idempotency_ttl_s)

    def remember(self, tenant: str, key: IdempotencyKey, answer: Json) -> Json:
        """Store the answer of a call that stores nothing else; return it, or the answer of an earlier call.

        Raises:
            IdempotencyMismatchError: The key was used for another body.
            IdempotencyBusyError: A call with this key has not ended.
        """
        with self._database.write() as connection:
            at = read_clock(connection)
            earlier = claim_key(connection, tenant, key, answer, at, self._options.idempotency_ttl_s)
        return answer if earlier is None else earlier

    def forget_answers(self) -> int:
        """Delete expired idempotency keys; return how many."""
        with self._database.write() as connection:
            oldest = read_clock(connection) - self._options.idempotency_ttl_s
            return connection.execute(delete(idempotency).where(idempotency.c.created_at < oldest)).rowcount


def claim_key(
    connection: Connection, tenant: str, key: IdempotencyKey | None, answer: Json, at: float, ttl_s: float
) -> Json | None:
    """Store the answer under the key; if the key has one already, return that instead.

    A concurrent call with the same key is awaited for up to two seconds, and its answer returned; after that this call
    is refused.

    Raises:
        IdempotencyMismatchError: The key was used for another body.
        IdempotencyBusyError: A call with this key has not ended.
    """
    if key is None:
        return None
    row = {"tenant": tenant, "route": key.route, "key": key.key}
    expired = delete(idempotency).filter_by(**row).where(idempotency.c.created_at < at - ttl_s)
    connection.execute(expired)
    try:
        with connection.begin_nested():
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SET LOCAL lock_timeout = '{_BUSY_AFTER_S}s'"))
            values = {**row, "body_sha256": key.body_sha256, "answer": answer, "created_at": at}
            connection.execute(insert(idempotency).values(values))
    except IntegrityError:
        return kept_answer(connection, tenant, key, at - ttl_s)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":  # lock_not_available
            raise IdempotencyBusyError from error
        raise
    return None


def kept_answer(connection: Connection, tenant: str, key: IdempotencyKey, oldest: float) -> Json | None:
    """Return the answer that the key got, unless it is older than ``oldest``.

    Raises:
        IdempotencyMismatchError: The key was used for another body.
    """
    query = select(idempotency.c.body_sha256, idempotency.c.answer).where(
        idempotency.c.tenant == tenant,
        idempotency.c.route == key.route,
        idempotency.c.key == key.key,
        idempotency.c.created_at >= oldest,
    )
    kept = connection.execute(query).one_or_none()
    if kept is None:
        return None
    if kept.body_sha256 != key.body_sha256:
        raise IdempotencyMismatchError
    answer: Json = kept.answer
    return answer


def due_now(at: float, delay_s: float = 0) -> Json:
    """The columns of a job that enters the queue: when it may be claimed and its message sent."""
    return {"claimable_at": at + delay_s, "publish_at": at + delay_s, "num_publishes": 0}


def initial_job(tenant: str, new_job: NewJob, at: float) -> Job:
    """A new job as it is stored: queued, with an id."""
    plan = new_job.plan
    progress = {
        "epoch": 0,
        "num_epochs": plan.get("num_epochs"),
        "step": 0,
        "num_steps": plan.get("num_steps"),
        "fraction": 0.0,
        "eta_s": None,
    }
    return Job(
        id=new_id("job"),
        tenant=tenant,
        version=1,
        name=new_job.name,
        labels=dict(new_job.labels),
        priority=new_job.priority,
        state=JobState.QUEUED,
        state_reason=None,
        attempt=0,
        progress=progress,
        created_at=at,
        updated_at=at,
        started_at=None,
        finished_at=None,
        heartbeat_at=None,
        spec=new_job.spec,
        resolved_spec=new_job.resolved_spec,
        plan=plan,
        warnings=list(new_job.warnings),
        result=None,
        usage={"device_s": 0.0, "peak_memory_bytes": None},
        sweep=new_job.sweep,
        parent_job_id=new_job.parent_job_id,
        dataset_id=new_job.dataset_id,
        checkpoint=new_job.checkpoint,
        transitions=[Transition(JobState.QUEUED, at, None)],
    )


def insert_jobs(connection: Connection, new: Sequence[tuple[Job, NewJob]], priority_step_s: float) -> None:
    """Store queued jobs, due now, each with its first record, its labels and its needs.

    Args:
        connection: Of the transaction.
        new: The jobs.
        priority_step_s: How much earlier a job must have come to be claimed like one of the next higher priority.

    Raises:
        JobNotFoundError: A job that one of them needs does not exist.
        DatasetNotFoundError: A data set that one of them trains on does not exist.
    """
    connection.execute(insert(jobs), [_row(job, new_job, priority_step_s) for job, new_job in new])
    first = [
        {"job_id": job.id, "seq": 1, "at": job.created_at, "kind": "state", "body": state_body(job.state, 0, None)}
        for job, _ in new
    ]
    connection.execute(insert(records), first)
    labels = [{"job_id": job.id, "key": key, "value": value} for job, _ in new for key, value in job.labels.items()]
    if labels:
        connection.execute(insert(job_labels), labels)
    hold_needs(connection, new)
    hold_datasets(connection, [job for job, _ in new])


def _row(job: Job, new_job: NewJob, priority_step_s: float) -> Json:
    rank = PRIORITIES.index(job.priority)
    steps_up = rank - PRIORITIES.index("normal")
    resources: dict[str, Any] = job.resolved_spec.get("resources", {})
    row = {column.name: getattr(job, column.name) for column in jobs.c if hasattr(job, column.name)}
    own = {
        "priority": rank,
        "device": resources.get("device", "auto"),
        "pool": resources.get("pool"),
        "sweep_id": job.sweep["id"] if job.sweep else None,
        "resume_requested": False,
        "owes_files": False,
        "last_seq": 1,
        "num_lost_attempts": 0,
        "fusion_key": new_job.fusion_key,
        "member_bytes": new_job.member_bytes,
        "group_id": None,
        "alone": False,
        "turn": new_job.turn,
        "plugins": plugins_as_text(new_job.plugins),
        "as_if_created_at": job.created_at - steps_up * priority_step_s,
        **due_now(job.created_at),
    }
    return {**row, **own}
