"""What the store takes and gives: frozen dataclasses, times in seconds since 1970, JSON as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from jobs.states import JobState, SweepState

Json = dict[str, Any]

PRIORITIES = ("low", "normal", "high")
"""From last to first; a priority's rank is its place here."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it is submitted. ``resolved_spec["resources"]`` says which workers may take it."""

    name: str | None
    labels: Mapping[str, str]
    priority: str
    spec: Json
    resolved_spec: Json
    plan: Json
    warnings: Sequence[Json] = ()
    fusion_key: str | None = None
    """Jobs of one tenant that share it may train in one pass; None where it trains alone."""
    member_bytes: int = 0
    """Memory that it takes as one more member of a pass."""
    turn: int = 0
    """Which of the jobs that are made at the same moment are claimed first: those of the lowest turn."""
    sweep: Json | None = None
    """Of a sweep's member: ``{variant, values, seed}``, and ``candidate`` and ``rungs``, which are not shown."""
    parent_job_id: str | None = None
    """The job that this one is a rerun of."""
    checkpoint: Json | None = None
    """The checkpoint to go on from, of another job."""
    needs: frozenset[str] = frozenset()
    """Ids of the jobs that must not be deleted before this one has ended."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's key for one request: the same body replays its answer, another body is an error."""

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
    """The newest that a run saved, ``{run_id, step, epoch, name, size_bytes, furthest_step}``; not shown to users."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A submitted job; ``replayed`` where an idempotency key gave the answer of an earlier call."""

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
    """A sweep as lists show it. What it says of its members is as they are now."""

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
    """A job as its sweep sees it; ``candidate`` names those that differ from it in their seed alone."""

    id: str
    state: JobState
    candidate: str
    variant: str | None
    values: Json
    seed: int
    objective: float | None
    """The metric that was asked for, of one that succeeded."""
    result: Json | None = None
    was_halved: bool = False
    """Whether successive halving stopped it; it counts as cancelled."""
    rung: int = 0
    """The last epoch after which a halving judged it; 0 before any."""
    rung_value: float | None = None
    """Its metric there."""


@dataclass(frozen=True, slots=True)
class SweepSubmission:
    """A submitted sweep; ``replayed`` where an idempotency key gave the answer of an earlier call."""

    sweep: Sweep
    replayed: bool
    members: list[SweepMember]
    """In the order of their making, as they were submitted."""


@dataclass(frozen=True, slots=True)
class SweepFilter:
    """Which sweeps to list: all of these together; an absent one does not restrict."""

    labels: tuple[tuple[str, str], ...] = ()
    name: str | None = None
    created_after: float | None = None
    created_before: float | None = None


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list: all of these together; an empty or absent one does not restrict."""

    states: frozenset[JobState] = frozenset()
    labels: tuple[tuple[str, str], ...] = ()
    name: str | None = None
    sweep_id: str | None = None
    created_after: float | None = None
    created_before: float | None = None


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A page of a list; ``next_after`` continues it, and is None on the last page."""

    data: list[Item]
    next_after: str | None

    @property
    def has_more(self) -> bool:
        """Whether there is another page."""
        return self.next_after is not None


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to append. A second one of the same job, kind and key is dropped: a step replayed."""

    kind: str
    body: Json
    at: float
    key: str | None = None


@dataclass(frozen=True, slots=True)
class LogHead:
    """How far a job's log reaches: the number of its newest record, and the state that it has come to."""

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
    """What a worker can do: its devices (cpu, cuda) and its pool."""

    devices: frozenset[str]
    pool: str | None = None

    def can_take(self, device: str, pool: str | None) -> bool:
        """Say whether a job that asks for this device and pool may run here. `claim` asks the same in SQL."""
        return (device == "auto" or device in self.devices) and pool in (None, self.pool)


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """A run that was just claimed: its id is the fence that every later write names."""

    run_id: int
    jobs: list[Job]
    group_id: str | None = None
    """Of jobs that train in one pass; None for one that trains alone."""
    companions: list[str] = field(default_factory=list)
    """Ids of all jobs that the pass was begun with."""
    is_whole: bool = True
    """Whether nobody else, say a paused job or a rerun of a cancelled one, may go on from the group's checkpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """How a run ended for one of its jobs.

    ``queued`` takes it back to the queue, as a lost attempt where there is a ``last_reason``: the one that it fails for
    if this was one loss too many. ``alone`` says that it is not to train with others again.
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
    """Whether it leaves its group, which goes on without it."""
    keeps_checkpoint: bool = False
    """Whether the group's newest checkpoint was kept for it alone: those that go on delete theirs as they do."""


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
    state: str
    slots: list[Json]
    versions: dict[str, str]
    started_at: float
    heartbeat_at: float


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: the tenant and the key that a token stands for."""

    tenant: str
    key_id: str
    scopes: frozenset[str]
