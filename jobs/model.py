"""The store's arguments and answers: frozen dataclasses, times in seconds since 1970, JSON as plain values."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from jobs.states import DatasetState, JobState, SweepState

Json = dict[str, Any]

HeaderRow = Literal["auto", "yes", "no"]
"""Whether the first row of a CSV file holds the columns' names."""

PRIORITIES = ("low", "normal", "high")
"""From the last to be claimed to the first; a priority's rank is its place here."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it is submitted. ``resolved_spec["resources"]`` decides which workers may take it."""

    name: str | None
    labels: Mapping[str, str]
    priority: str
    spec: Json
    resolved_spec: Json
    plan: Json
    warnings: Sequence[Json] = ()
    fusion_key: str | None = None
    """Jobs of one tenant with the same key may train in one pass; None if it trains alone."""
    member_bytes: int = 0
    """The memory that it adds to a pass."""
    turn: int = 0
    """Of jobs that are created at the same moment, those with the lowest turn are claimed first."""
    sweep: Json | None = None
    """For a sweep's member: ``{variant, values, seed}``, and ``candidate`` and ``rungs``, which are not shown."""
    parent_job_id: str | None = None
    """The job that this one is a rerun of."""
    checkpoint: Json | None = None
    """The checkpoint of another job to resume from."""
    needs: frozenset[str] = frozenset()
    """Ids of the jobs that must not be deleted before this one has ended."""
    dataset_id: str | None = None
    """The data set that it trains on, which must not be deleted before it has ended."""
    plugins: Sequence[str] = ()
    """Installed packages that a worker must have to take it."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's key for one request: the same body gets the same answer, another body is an error."""

    route: str
    key: str
    body_sha256: str


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of a job's life; ``reason`` is a code of `jobs.states.Reason`."""

    state: JobState
    at: float
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """A job as lists show it. ``version`` grows with every change but a heartbeat."""

    id: str
    tenant: str
    version: int
    name: str | None
    labels: dict[str, str]
    priority: str
    sweep: Json | None = None
    parent_job_id: str | None = None
    dataset_id: str | None = None
    keep: bool = False
    expires_at: float | None = None
    state: JobState
    state_reason: Json | None
    attempt: int
    progress: Json
    created_at: float
    updated_at: float
    started_at: float | None
    finished_at: float | None
    heartbeat_at: float | None
    warnings: list[Json]
    result: Json | None
    usage: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(JobSummary):
    """A job, whole."""

    spec: Json
    resolved_spec: Json
    plan: Json
    transitions: list[Transition]
    checkpoint: Json | None = None
    """The newest checkpoint, ``{run_id, step, epoch, name, size_bytes, furthest_step}``; not shown to users."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A submitted job; ``replayed`` if an idempotency key returned the answer of an earlier call."""

    job: Job
    replayed: bool


@dataclass(frozen=True, slots=True)
class NewSweep:
    """A sweep as it is submitted, with all its members."""

    name: str | None
    labels: Mapping[str, str]
    spec: Json
    members: Sequence[NewJob]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSummary:
    """A sweep as lists show it, with the present states of its members."""

    id: str
    tenant: str
    name: str | None
    labels: dict[str, str]
    num_members: int
    state: SweepState
    counts: dict[str, int]
    """Members in each state."""
    num_halved: int
    """Members that were stopped at a rung; they count as cancelled."""
    created_at: float
    started_at: float | None
    finished_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep(SweepSummary):
    """A sweep, whole."""

    spec: Json


@dataclass(frozen=True, slots=True)
class SweepMember:
    """A job as its sweep sees it; jobs that differ only in their seed have the same ``candidate``."""

    id: str
    state: JobState
    candidate: str
    variant: str | None
    values: Json
    seed: int
    objective: float | None
    """The requested metric, if the job succeeded."""
    result: Json | None = None
    was_halved: bool = False
    """Whether successive halving stopped it; it counts as cancelled."""
    rung: int = 0
    """The last epoch at which a halving judged it; 0 for none."""
    rung_value: float | None = None
    """Its metric at that epoch."""


@dataclass(frozen=True, slots=True)
class SweepSubmission:
    """A submitted sweep; ``replayed`` if an idempotency key returned the answer of an earlier call."""

    sweep: Sweep
    replayed: bool
    members: list[SweepMember]
    """In the order in which they were submitted."""


@dataclass(frozen=True, slots=True)
class SweepFilter:
    """Which sweeps to list: those that meet every condition; None is no condition."""

    labels: tuple[tuple[str, str], ...] = ()
    name: str | None = None
    created_after: float | None = None
    created_before: float | None = None


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list: those that meet every condition; an empty one or None is no condition."""

    states: frozenset[JobState] = frozenset()
    labels: tuple[tuple[str, str], ...] = ()
    name: str | None = None
    sweep_id: str | None = None
    dataset_id: str | None = None
    created_after: float | None = None
    created_before: float | None = None


@dataclass(frozen=True, slots=True)
class NewDataset:
    """A data set whose bytes have been received; the file lies in the `jobs.artifacts.ArtifactStore`."""

    name: str | None
    sha256: str
    size_bytes: int
    header: HeaderRow
    """Whether the first row holds the columns' names: auto, yes or no."""
    format: str
    """What the file is: csv, parquet or jsonl, or auto to find out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset(NewDataset):
    """A data set, but for its facts and its preview, which may be large. ``version`` grows with every change."""

    id: str
    tenant: str
    version: int
    state: DatasetState
    state_reason: Json | None
    created_at: float
    updated_at: float
    finished_at: float | None
    num_rows: int | None
    num_columns: int | None
    modality: str | None
    """``table``, ``image``, ``text`` or ``audio``; None until it is ready."""


@dataclass(frozen=True, slots=True)
class DatasetSubmission:
    """A data set that was sent. ``is_new`` is false if the tenant held these bytes already."""

    dataset: Dataset
    is_new: bool
    replayed: bool
    """Whether an idempotency key returned the answer of an earlier call."""


@dataclass(frozen=True, slots=True)
class DatasetFilter:
    """Which data sets to list: those that meet every condition; an empty one or None is no condition."""

    states: frozenset[DatasetState] = frozenset()
    name: str | None = None
    sha256: str | None = None
    created_after: float | None = None
    created_before: float | None = None


@dataclass(frozen=True, slots=True)
class ClaimedDataset:
    """A data set that a worker has to read: ``attempt`` is the fence, which every later write names."""

    id: str
    attempt: int
    tenant: str
    name: str | None
    sha256: str
    size_bytes: int
    header: HeaderRow
    format: str


@dataclass(frozen=True, slots=True)
class ParsedTable:
    """What a worker found in a data set's file."""

    facts: Json
    """A `regcore.data.tables.facts.TableFacts`."""
    preview: Json
    """``{columns, rows}``: the first rows as they were read."""
    num_rows: int
    num_columns: int
    modality: str
    sha256: str
    """Of the table's own file, which jobs read; it lies in the `jobs.artifacts.ArtifactStore`."""
    size_bytes: int


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A page of a list; ``next_after`` is the cursor of the next one, None on the last page."""

    data: list[Item]
    next_after: str | None

    @property
    def has_more(self) -> bool:
        """Whether there is another page."""
        return self.next_after is not None


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to append. A second record of the same job, kind and key, from a repeated step, is dropped."""

    kind: str
    body: Json
    at: float
    key: str | None = None


@dataclass(frozen=True, slots=True)
class LogHead:
    """How far a job's log reaches: the number of its newest record, and the job's state."""

    state: JobState
    last_seq: int


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record of a job's log."""

    seq: int
    at: float
    kind: str
    body: Json


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """An artifact's name and content; the file lies in the `jobs.artifacts.ArtifactStore`."""

    name: str
    size_bytes: int
    sha256: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a worker can run: its devices (cpu, cuda), its pool, and the plugins that are installed there."""

    devices: frozenset[str]
    pool: str | None = None
    plugins: frozenset[str] = frozenset()

    def can_take(self, device: str, pool: str | None, plugins: Collection[str] = ()) -> bool:
        """Return whether a job with these needs may run here. `claim` checks the same in SQL."""
        return (device == "auto" or device in self.devices) and pool in (None, self.pool) and self.plugins >= {*plugins}


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """A claimed run: its id is the fence, which every later write names."""

    run_id: int
    jobs: list[Job]
    group_id: str | None = None
    """The id of jobs that train in one pass; None for a job that trains alone."""
    companions: list[str] = field(default_factory=list)
    """Ids of all jobs that the pass began with."""
    is_whole: bool = True
    """Whether no other job, say a paused one or a rerun of a cancelled one, may resume from the group's checkpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How a run ended for one of its jobs.

    ``queued`` puts it back into the queue. With a ``last_reason`` that is a lost attempt, and the reason for which the
    job fails if it was one loss too many. With ``alone`` the job does not train with others again.
    """

    job_id: str
    state: JobState
    reason: Json | None = None
    last_reason: Json | None = None
    result: Json | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Sequence[ArtifactRow] = ()
    alone: bool = False
    leaves: bool = False
    """Whether it leaves its group, which trains on without it."""
    keeps_checkpoint: bool = False
    """Whether it has its own link to the group's newest checkpoint: the others delete the group's while they train."""


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker as it registers. ``slots`` is a list of ``{device, job_ids}``."""

    id: str
    node: str
    capabilities: Capabilities
    slots: list[Json] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker as the store knows it; ``state`` is ready, draining, drained or lost."""

    id: str
    node: str
    pool: str | None
    devices: list[str]
    plugins: list[str]
    state: str
    slots: list[Json]
    versions: dict[str, str]
    started_at: float
    heartbeat_at: float


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: the tenant and the key of a token."""

    tenant: str
    key_id: str
    scopes: frozenset[str]
