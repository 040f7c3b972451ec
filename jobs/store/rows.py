"""Rows of the tables to the dataclasses of `jobs.model`, and back."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Row, false

from jobs.model import PRIORITIES, Job, JobSummary, Json, RecordRow, Transition
from jobs.states import JobState
from jobs.tables import jobs

AnyRow = Row[*tuple[Any, ...]]

SUMMARY_COLUMNS = [
    jobs.c.id,
    jobs.c.tenant,
    jobs.c.version,
    jobs.c.name,
    jobs.c.labels,
    jobs.c.priority,
    jobs.c.state,
    jobs.c.state_reason,
    jobs.c.attempt,
    jobs.c.progress,
    jobs.c.created_at,
    jobs.c.updated_at,
    jobs.c.started_at,
    jobs.c.finished_at,
    jobs.c.heartbeat_at,
    jobs.c.warnings,
    jobs.c.result,
    jobs.c.usage,
    jobs.c.sweep,
    jobs.c.parent_job_id,
    jobs.c.dataset_id,
]
JOB_COLUMNS = [*SUMMARY_COLUMNS, jobs.c.spec, jobs.c.resolved_spec, jobs.c.plan, jobs.c.checkpoint]


def summary_from_row(row: AnyRow) -> JobSummary:
    """Return the summary that a row holds, which begins with `SUMMARY_COLUMNS`."""
    return JobSummary(**_fields(row, len(SUMMARY_COLUMNS)))


def is_job(job_id: str, tenant: str) -> ColumnElement[bool]:
    """Return the condition for one job of a tenant. PostgreSQL's text cannot hold NUL, and it raises an error."""
    return false() if "\0" in job_id else (jobs.c.id == job_id) & (jobs.c.tenant == tenant)


def job_from_row(row: AnyRow, state_records: list[RecordRow]) -> Job:
    """Return the job that a row of `JOB_COLUMNS` and its ``state`` records hold."""
    return Job(
        **_fields(row, len(JOB_COLUMNS)),
        transitions=[transition_from_record(record) for record in state_records],
    )


def transition_from_record(record: RecordRow) -> Transition:
    """Return the transition that a ``state`` record describes."""
    return Transition(JobState(record.body["state"]), record.at, record.body["reason"])


def job_to_json(job: Job) -> Json:
    """Return a job as JSON, to store as the answer to an idempotent request."""
    return asdict(job)


def job_from_json(answer: Json) -> Job:
    """Return the job from the JSON of `job_to_json`."""
    transitions = [Transition(JobState(one["state"]), one["at"], one["reason"]) for one in answer["transitions"]]
    return Job(**{**answer, "state": JobState(answer["state"]), "transitions": transitions})


def _fields(row: AnyRow, num_columns: int) -> dict[str, Any]:
    fields: dict[str, Any] = dict(zip(row._fields[:num_columns], row, strict=False))
    return {**fields, "priority": PRIORITIES[fields["priority"]], "state": JobState(fields["state"])}
