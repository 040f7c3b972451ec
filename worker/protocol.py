"""The messages between a supervisor and its runner: JSON lines over two pipes.

    supervisor ── Measure, Run, Renew, Accepted, Leave, Judged, Stop ──> runner
    supervisor <── Born, Ready, Capacity, Started, Wrote, Saved, Judging, JobEnded, Finished ── runner

Neither side shares memory, credentials or a database with the other, so a runner that dies takes nothing with
it.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from regcore.record import RecordKind

EXIT_LEASE_LOST = 75
"""The exit status of a runner whose lease has expired: EX_TEMPFAIL of sysexits.h."""


@dataclass(frozen=True)
class Assignment:
    """One job of a run, as its runner is told of it.

    Attributes:
        job_id: Whose records these are.
        key: Its name in checkpoints: its id, or the id of the job that it is a rerun of.
        spec: The resolved spec.
        directory: Where its artifacts go; the folder exists.
        log: The file that its log is written to.
        inputs: The `model.safetensors` of each job that it needs, with the `model.json` beside it, by its name in
            `Plan.inputs`.
        rungs: Epochs after which its sweep decides whether it continues.
        rung_metric: The metric that decides.
    """

    job_id: str
    key: str
    spec: dict[str, Any]
    directory: str
    log: str
    inputs: dict[str, str] = field(default_factory=dict)
    rungs: list[int] = field(default_factory=list)
    rung_metric: str = "validation/loss"


@dataclass(frozen=True)
class Measure:
    """Ask how many members like this one to train in one pass.

    Attributes:
        spec: The resolved spec.
        num_members: The most that are possible.
        data_dir: The operator's folder of data sets.
        device: As in `Run`.
        num_threads: As in `Run`.
        lease_until: As in `Run`.
        table: As in `Run`.
    """

    spec: dict[str, Any]
    num_members: int
    data_dir: str
    device: str
    num_threads: int
    lease_until: float
    table: str | None = None


@dataclass(frozen=True)
class Run:
    """Train these jobs now, in one pass.

    Attributes:
        run_id: The fence; only for the log, a runner writes nothing to the store.
        assignments: The jobs.
        companions: Keys of all jobs that the pass began with.
        output: The file for everything that is printed.
        checkpoints: The run's own folder of checkpoints, into which those of the previous run were taken.
        accepted_step: The step of the newest checkpoint that the store has accepted; 0 for none.
        max_checkpoint_bytes: The most bytes that the checkpoints of one job may take together.
        data_dir: The operator's folder of data sets.
        device: `cpu`, or `cuda:N` for the N-th GPU of this node.
        num_threads: Fixed, because the number of threads changes the last bits of a sum on the CPU.
        lease_until: On the node's monotonic clock: without a `Renew`, the runner exits at this time.
        table: The file of the uploaded table that all jobs train on; None if they train on a known set.
    """

    run_id: int
    assignments: list[Assignment]
    companions: list[str]
    output: str
    checkpoints: str
    accepted_step: int
    max_checkpoint_bytes: int
    data_dir: str
    device: str
    num_threads: int
    lease_until: float
    table: str | None = None


@dataclass(frozen=True)
class Renew:
    """The lease was renewed, until a moment; a length would be wrong if the message is read late."""

    lease_until: float


@dataclass(frozen=True)
class Accepted:
    """The store has accepted the checkpoint of this step: earlier ones may be deleted."""

    step: int


@dataclass(frozen=True)
class Leave:
    """Take one job out of the pass. The answer is `JobEnded("stopped")`, unless the job ends first.

    Attributes:
        job_id: Which.
        save_to: The folder in which to save this job alone first; None to save nothing.
    """

    job_id: str
    save_to: str | None


@dataclass(frozen=True)
class Judged:
    """The decision about a rung: these jobs stop."""

    epoch: int
    fallen: list[str]


@dataclass(frozen=True)
class Stop:
    """Stop the whole pass at the next step. The answers are `JobEnded("stopped")`, unless a job ends first.

    Attributes:
        save: Whether to save a checkpoint first.
    """

    save: bool


@dataclass(frozen=True)
class Born:
    """The runner exists, in a session of its own, and the worker is its parent."""

    pid: int


@dataclass(frozen=True)
class Ready:
    """The runner is warm: it has imported everything and finished a tiny training."""

    versions: dict[str, str]


@dataclass(frozen=True)
class Capacity:
    """How many members to train in one pass, and the memory that they may take together."""

    num_members: int
    max_bytes: int


@dataclass(frozen=True)
class Started:
    """The runner has started the run."""

    run_id: int


@dataclass(frozen=True)
class Wrote:
    """A record of one job."""

    job_id: str
    kind: RecordKind
    body: dict[str, Any]
    at: float


@dataclass(frozen=True)
class Saved:
    """A checkpoint of the whole pass. One message, because it counts for all of its jobs or for none."""

    job_ids: list[str]
    body: dict[str, Any]
    at: float


@dataclass(frozen=True)
class Judging:
    """These jobs have reached a rung and wait for the decision; a value that is not finite is None."""

    epoch: int
    values: dict[str, float | None]


@dataclass(frozen=True)
class JobEnded:
    """The run is over for one job, and its files are written.

    Attributes:
        outcome: `succeeded`; `stopped` by request; `halved` by its sweep; `failed` with a reason.
        result: The job's `result`, after a success.
        reason: The job's `state_reason`, after a failure; after a halving, with the value that decided.
        of_the_pass: Whether the whole pass failed, so that a companion may be the cause.
    """

    job_id: str
    outcome: Literal["succeeded", "stopped", "halved", "failed"]
    result: dict[str, Any] | None = None
    reason: dict[str, Any] | None = None
    of_the_pass: bool = False


@dataclass(frozen=True)
class Finished:
    """The run is over.

    Attributes:
        clean: Whether this process may be trusted with another run.
        peak_memory_bytes: Highest resident memory during the run; 0 if the system does not report it.
    """

    clean: bool
    peak_memory_bytes: int = 0


Command = Measure | Run | Renew | Accepted | Leave | Judged | Stop
Event = Born | Ready | Capacity | Started | Wrote | Saved | Judging | JobEnded | Finished

_TYPES: dict[str, type[Command] | type[Event]] = {
    kind.__name__: kind
    for kind in (
        *(Measure, Run, Renew, Accepted, Leave, Judged, Stop),
        *(Born, Ready, Capacity, Started, Wrote, Saved, Judging, JobEnded, Finished),
    )
}


def encode(message: Command | Event) -> bytes:
    """One line. NaN is refused here, because the store's JSON cannot hold it."""
    fields = {"type": type(message).__name__, **asdict(message)}
    return json.dumps(fields, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Command | Event:
    """The message in a line of `encode`."""
    fields = json.loads(line)
    kind = _TYPES[fields.pop("type")]
    if kind is Run:
        fields["assignments"] = [Assignment(**one) for one in fields["assignments"]]
    return kind(**fields)
