"""Response schemas: the public names, with times as users see them."""

from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from api.http.times import Time
from api.services import Services
from jobs.model import ArtifactRow, Job, JobSummary, RecordRow
from jobs.states import JobState
from regcore.errors import MAX_ERRORS
from regcore.plan import Plan

Json = dict[str, Any]


class View(BaseModel):
    """The base of all responses; made from the store's dataclasses by attribute."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)


class FieldProblem(View):
    """One wrong place: `pointer` into the body, or the `parameter`'s or header's name."""

    pointer: str | None = None
    parameter: str | None = None
    code: str
    message: str


class Problem(View):
    """An error, as RFC 9457 writes it."""

    type: str
    """`urn:regcore:problem:<code>`: for programs."""
    title: str
    status: int
    detail: str
    """What was expected, what came, what to do."""
    instance: str
    request_id: str
    """By this the operator finds the request in the logs."""
    errors: Annotated[list[FieldProblem], Field(max_length=MAX_ERRORS)]
    """Every wrong place; of very many the first."""
    num_errors_left_off: Annotated[int, Field(ge=1)] | None = None
    """How many more there are; absent where all are listed."""


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
    links: dict[str, str] = {}


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


class CatalogueEntryView(View):
    """One kind that a spec may name."""

    kind: str
    summary: str
    formula: str
    source: str
    schema_: Annotated[Json, Field(alias="schema")]
    """JSON Schema of its fields."""
    example_job: Json
    """A whole job spec with it, which trains offline in seconds."""


class Catalogue(View):
    """Every kind of one family."""

    data: list[CatalogueEntryView]


class Slot(View):
    """A place where a worker runs one job at a time."""

    device: str
    job_ids: list[str]


class WorkerView(View):
    """A worker."""

    id: str
    node: str
    pool: str | None
    state: Literal["ready", "draining", "drained", "lost"]
    slots: list[Slot]
    versions: dict[str, str]
    heartbeat_at: Time


class WorkerList(View):
    """The workers."""

    data: list[WorkerView]


class Health(View):
    """The server's own state."""

    status: Literal["ok"] = "ok"


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
