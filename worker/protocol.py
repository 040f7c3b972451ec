"""What the supervisor and its runner say to each other: JSON lines over two pipes.

    supervisor ── Fit, Run, Renew, Accepted, Leave, Judged, Stop ──> runner
    supervisor <── Born, Ready, Fitting, Started, Wrote, Saved, Judging, Ended, Finished ── runner

Neither side shares memory, credentials or a database with the other, so a runner that dies takes nothing with
it.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from regcore.record import RecordKind


@dataclass(frozen=True)
class RunMember:
    """One job of a run.

    Attributes:
        job_id: Whose records these are.
        key: What its checkpoints call it: its id, or that of the job that it is a rerun of.
        spec: The resolved spec.
        directory: Where its artifacts go; exists already.
        log: The file that its log is written to.
        starting_weights: The `model.safetensors` that it starts from; None for fresh weights.
        starting_model: The `model.json` of those weights; None where there is none.
        rungs: Epochs after which its sweep decides whether it goes on.
        rung_metric: By which metric.
    """

    job_id: str
    key: str
    spec: dict[str, Any]
    directory: str
    log: str
    starting_weights: str | None = None
    starting_model: str | None = None
    rungs: list[int] = field(default_factory=list)
    rung_metric: str = "validation/loss"


@dataclass(frozen=True)
class Fit:
    """Say how many members like this one to train in one pass.

    Attributes:
        spec: The resolved spec.
        num_members: The most that there could be.
        data_dir: The operator's folder of data sets.
        device: As of a run.
        num_threads: As of a run.
        lease_until: As of a run.
    """

    spec: dict[str, Any]
    num_members: int
    data_dir: str
    device: str
    num_threads: int
    lease_until: float


@dataclass(frozen=True)
class Run:
    """Train these jobs now, in one pass.

    Attributes:
        run_id: The fence; only for the log, a runner writes nothing to the store.
        members: The jobs.
        companions: Keys of all the jobs that the pass was begun with.
        output: The file for whatever is printed.
        checkpoints: The run's own folder of checkpoints, with those of the run before in it.
        accepted_step: Of the newest one that the store has accepted; 0 for none.
        max_checkpoint_bytes: What those of one job may take together.
        data_dir: The operator's folder of data sets.
        device: `cpu`, or `cuda:N` for the N-th GPU of this node.
        num_threads: Pinned, since the number of threads changes the last bits of a sum on the CPU.
        lease_until: On the node's monotonic clock: the runner exits by itself when this has passed without a `Renew`.
    """

    run_id: int
    members: list[RunMember]
    companions: list[str]
    output: str
    checkpoints: str
    accepted_step: int
    max_checkpoint_bytes: int
    data_dir: str
    device: str
    num_threads: int
    lease_until: float


@dataclass(frozen=True)
class Renew:
    """The lease was renewed. A moment and no length: the message may be read long after it was written."""

    lease_until: float


@dataclass(frozen=True)
class Accepted:
    """The store has accepted the checkpoint of this step: those before it may go."""

    step: int


@dataclass(frozen=True)
class Leave:
    """Take one job out of the pass; the answer is its `Ended("stopped")`, unless it ends first.

    Attributes:
        job_id: Which.
        save_to: The folder to save it in before, for itself; None to save nothing.
    """

    job_id: str
    save_to: str | None


@dataclass(frozen=True)
class Judged:
    """Of the jobs that have reached a rung, these do not go on."""

    epoch: int
    fallen: list[str]


@dataclass(frozen=True)
class Stop:
    """Stop the whole pass at the next step; the answers are `Ended("stopped")`, unless a job ends first.

    Attributes:
        save: Whether to save a checkpoint before.
    """

    save: bool


@dataclass(frozen=True)
class Born:
    """There is a runner now, in a session of its own, and the supervisor's process is its parent."""

    pid: int


@dataclass(frozen=True)
class Ready:
    """Everything heavy is imported and a tiny training is behind us."""

    versions: dict[str, str]


@dataclass(frozen=True)
class Fitting:
    """How many members to train in one pass, and what they may take together."""

    size: int
    max_bytes: int


@dataclass(frozen=True)
class Started:
    """The run was taken up."""

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
    """A checkpoint of the whole pass: one message, since it counts for all of its jobs or for none."""

    job_ids: list[str]
    body: dict[str, Any]
    at: float


@dataclass(frozen=True)
class Judging:
    """These jobs have reached a rung, and wait for the answer; a value that is not finite is None."""

    epoch: int
    values: dict[str, float | None]


@dataclass(frozen=True)
class Ended:
    """The run is over for one job, and its files are written.

    Attributes:
        outcome: `succeeded`; `stopped` by request; `halved` by its sweep; `failed` with a reason.
        result: The job's `result`, of a success.
        reason: The job's `state_reason`, of a failure; of one that was halved, with the value that it was judged by.
        of_the_pass: Whether it is the whole pass that failed, and the job perhaps only for the company that it had.
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
        peak_memory_bytes: Highest resident memory during the run; 0 where the system does not say.
    """

    clean: bool
    peak_memory_bytes: int = 0


Command = Fit | Run | Renew | Accepted | Leave | Judged | Stop
Event = Born | Ready | Fitting | Started | Wrote | Saved | Judging | Ended | Finished

_TYPES: dict[str, type[Command] | type[Event]] = {
    kind.__name__: kind
    for kind in (
        *(Fit, Run, Renew, Accepted, Leave, Judged, Stop),
        *(Born, Ready, Fitting, Started, Wrote, Saved, Judging, Ended, Finished),
    )
}


def encode(message: Command | Event) -> bytes:
    """One line. NaN is refused: the store's JSON has none, and it is better found here."""
    fields = {"type": type(message).__name__, **asdict(message)}
    return json.dumps(fields, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Command | Event:
    """The message in a line that `encode` made."""
    fields = json.loads(line)
    kind = _TYPES[fields.pop("type")]
    if kind is Run:
        fields["members"] = [RunMember(**member) for member in fields["members"]]
    return kind(**fields)
