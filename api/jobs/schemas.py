"""A job, its metrics, log and artifacts as users see them."""

from typing import Literal
from urllib.parse import quote

from pydantic import Field

from api.http.schemas import View
from api.http.times import Time
from api.services import Services
from jobs.model import ArtifactRow, Job, JobSummary, Json, RecordRow
from jobs.states import JobState
from regcore.plan import Plan


class TransitionView(View):
    """One step of a job's life."""

    state: JobState
    at: Time
    reason: str | None


class SweepPlace(View):
    """Which member of a sweep a job is."""

    id: str
    variant: str | None
    values: Json
    """The value of each axis, by pointer; null if it removed the place."""
    seed: int


class JobSummaryView(View):
    """A job as lists show it."""

    id: str
    name: str | None
    labels: dict[str, str]
    priority: Literal["low", "normal", "high"]
    sweep: SweepPlace | None
    """For a sweep's member."""
    parent_job_id: str | None
    dataset_id: str | None = None
    """The data set that it trains on, if it was uploaded."""
    keep: bool
    expires_at: Time | None
    state: JobState
    state_reason: Json | None
    """Why it is in its state: `{code, message, remedy, retryable, details}`."""
    attempt: int
    """0 until claimed."""
    progress: Json
    """`{epoch, num_epochs, step, num_steps, fraction, eta_s}`, at most a second old."""
    created_at: Time
    updated_at: Time
    started_at: Time | None
    finished_at: Time | None
    heartbeat_at: Time | None
    warnings: list[Json]
    """Doubts about the spec: `{code, pointer, message, remedy, patch}`. What only the rows of its data show is added
    when it trains."""
    result: Json | None
    """After a success: `{metrics, selected_epoch, generalization_gap, sparsity, num_parameters, …}`."""
    usage: Json
    links: dict[str, str] = Field(default={})


class JobView(JobSummaryView):
    """A job, whole."""

    transitions: list[TransitionView]
    spec: Json
    """As it was sent."""
    resolved_spec: Json
    """With every default filled in; can be submitted again."""
    plan: Json


class JobPage(View):
    """A page of jobs."""

    data: list[JobSummaryView]
    next_after: str | None
    """The `after` of the next page; null on the last page."""
    has_more: bool


class Validation(View):
    """A spec that would be accepted."""

    valid: Literal[True] = True
    resolved_spec: Json
    plan: Json
    warnings: list[Json]


class MetricsRow(View):
    """The metrics of one evaluation."""

    seq: int
    epoch: int
    step: int
    at: Time
    values: dict[str, float | None]
    """null if the value is not finite."""
    non_finite: list[str]


class MetricsPage(View):
    """A page of a job's metrics."""

    data: list[MetricsRow]
    next_after: int
    """The `after` to continue from here, now or later."""
    has_more: bool
    state: JobState
    """If it is terminal and `has_more` is false, nothing follows."""


class Event(View):
    """One record of a job's log."""

    seq: int
    at: Time
    kind: Literal["state", "progress", "metrics", "checkpoint", "warning", "log"]
    body: Json


class EventPage(View):
    """A page of a job's log."""

    data: list[Event]
    next_after: int
    has_more: bool
    state: JobState


class ArtifactView(View):
    """A file that a job made."""

    name: str
    size_bytes: int
    sha256: str
    media_type: str
    url: str


class ArtifactList(View):
    """A job's files."""

    data: list[ArtifactView]


def show_job(services: Services, job: Job) -> JobView:
    """Return a job as users see it."""
    view = JobView.model_validate(job)
    return view.model_copy(update={"links": _links(services, job.id)})


def show_summary(services: Services, job: JobSummary) -> JobSummaryView:
    """Return a job as lists show it."""
    view = JobSummaryView.model_validate(job)
    return view.model_copy(update={"links": _links(services, job.id)})


def show_validation(plan: Plan) -> Validation:
    """Return what submitting the plan's spec would store."""
    return Validation(
        resolved_spec=plan.resolved_spec.model_dump(mode="json"),
        plan=plan.public(),
        warnings=[warning.model_dump(mode="json") for warning in plan.warnings],
    )


def show_event(row: RecordRow) -> Event:
    """Return a record as users see it."""
    return Event.model_validate(row)


def show_artifact(services: Services, job_id: str, row: ArtifactRow) -> ArtifactView:
    """Return an artifact with its address."""
    url = services.url(f"/v1/jobs/{job_id}/artifacts/{quote(row.name)}")
    return ArtifactView(name=row.name, size_bytes=row.size_bytes, sha256=row.sha256, media_type=row.media_type, url=url)


def _links(services: Services, job_id: str) -> dict[str, str]:
    own = services.url(f"/v1/jobs/{job_id}")
    parts = ("cancel", "pause", "resume", "rerun", "metrics", "events", "report", "artifacts")
    return {"self": own, **{part: f"{own}/{part}" for part in parts}}
