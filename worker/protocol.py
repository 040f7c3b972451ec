"""What the supervisor and its runner say to each other: JSON lines over two pipes.

    supervisor ── Run, Renew, Accepted, Stop ──> runner
    supervisor <── Ready, Started, Wrote, Ended ── runner

Neither side shares memory, credentials or a database with the other, so a runner that dies takes nothing with
it.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from regcore.record import RecordKind


@dataclass(frozen=True)
class Run:
    """Train this spec now.

    Attributes:
        run_id: The fence; only for the log, a runner writes nothing to the store.
        job_id: Whose records these are.
        spec: The resolved spec.
        directory: Where the artifacts and `log.txt` go; exists already.
        checkpoints: The run's own folder of checkpoints, with those of the run before in it.
        accepted_step: Of the newest one that the store has accepted; 0 for none.
        max_checkpoint_bytes: What they may take together.
        data_dir: The operator's folder of data sets.
        device: `cpu`, or `cuda:N` for the N-th GPU of this node.
        num_threads: Pinned, since the number of threads changes the last bits of a sum on the CPU.
        lease_s: The runner exits by itself when this much time passes without a `Renew`.
    """

    run_id: int
    job_id: str
    spec: dict[str, Any]
    directory: str
    checkpoints: str
    accepted_step: int
    max_checkpoint_bytes: int
    data_dir: str
    device: str
    num_threads: int
    lease_s: float


@dataclass(frozen=True)
class Renew:
    """The lease was renewed: live for another `lease_s`."""

    lease_s: float


@dataclass(frozen=True)
class Accepted:
    """The store has accepted the checkpoint of this step: those before it may go."""

    step: int


@dataclass(frozen=True)
class Stop:
    """Stop training at the next step; the answer is `Ended("stopped")`, unless the run ends first.

    Attributes:
        save: Whether to save a checkpoint before.
    """

    save: bool


@dataclass(frozen=True)
class Ready:
    """Everything heavy is imported and a tiny training is behind us."""

    versions: dict[str, str]


@dataclass(frozen=True)
class Started:
    """The run was taken up."""

    job_id: str


@dataclass(frozen=True)
class Wrote:
    """A record of the run."""

    job_id: str
    kind: RecordKind
    body: dict[str, Any]
    at: float


@dataclass(frozen=True)
class Ended:
    """The run is over and its files are written.

    Attributes:
        outcome: `succeeded`; `stopped` by request; `failed` with a reason.
        result: The job's `result`, of a success.
        reason: The job's `state_reason`, of a failure.
        clean: Whether this process may be trusted with another run.
        peak_memory_bytes: Highest resident memory during the run; 0 where the system does not say.
    """

    job_id: str
    outcome: Literal["succeeded", "stopped", "failed"]
    clean: bool
    result: dict[str, Any] | None = None
    reason: dict[str, Any] | None = None
    peak_memory_bytes: int = field(default=0)


Command = Run | Renew | Accepted | Stop
Event = Ready | Started | Wrote | Ended

_TYPES: dict[str, type[Command] | type[Event]] = {
    kind.__name__: kind for kind in (Run, Renew, Accepted, Stop, Ready, Started, Wrote, Ended)
}


def encode(message: Command | Event) -> bytes:
    """One line. NaN is refused: the store's JSON has none, and it is better found here."""
    fields = {"type": type(message).__name__, **asdict(message)}
    return json.dumps(fields, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Command | Event:
    """The message in a line that `encode` made."""
    fields = json.loads(line)
    return _TYPES[fields.pop("type")](**fields)
