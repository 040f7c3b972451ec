"""The states of a job, their meanings and the legal transitions: one table for code, docs and tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class JobState(StrEnum):
    """The state of a job. The meanings are in `MEANINGS`."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


MEANINGS: Mapping[JobState, str] = MappingProxyType(
    {
        JobState.QUEUED: "Accepted, and waiting for a worker.",
        JobState.STARTING: "A worker has claimed it and prepares the run.",
        JobState.RUNNING: "It trains.",
        JobState.PAUSING: "A pause was asked for; the run is saving a checkpoint.",
        JobState.PAUSED: "It holds no worker, and waits to be resumed.",
        JobState.CANCELLING: "A cancel was asked for; the run is stopping.",
        JobState.SUCCEEDED: "It trained to its end; the result and the artifacts are there.",
        JobState.FAILED: "It ended without a result; state_reason says why and what to do.",
        JobState.CANCELLED: "It was cancelled.",
    }
)

TERMINAL: frozenset[JobState] = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})

TRANSITIONS: Mapping[JobState, frozenset[JobState]] = MappingProxyType(
    {
        JobState.QUEUED: frozenset({JobState.STARTING, JobState.PAUSED, JobState.CANCELLED, JobState.FAILED}),
        JobState.STARTING: frozenset(
            {JobState.RUNNING, JobState.QUEUED, JobState.FAILED, JobState.PAUSING, JobState.CANCELLING}
        ),
        JobState.RUNNING: frozenset(
            {JobState.SUCCEEDED, JobState.QUEUED, JobState.FAILED, JobState.PAUSING, JobState.CANCELLING}
        ),
        JobState.PAUSING: frozenset(
            {JobState.PAUSED, JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLING}
        ),
        JobState.PAUSED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
        JobState.CANCELLING: frozenset({JobState.CANCELLED, JobState.SUCCEEDED, JobState.FAILED}),
        JobState.SUCCEEDED: frozenset(),
        JobState.FAILED: frozenset(),
        JobState.CANCELLED: frozenset(),
    }
)


class DatasetState(StrEnum):
    """The state of a data set; `ready` and `invalid` never change."""

    VALIDATING = "validating"
    READY = "ready"
    INVALID = "invalid"


class SweepState(StrEnum):
    """The state of a sweep, which follows from its members."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


SWEEP_TERMINAL: frozenset[SweepState] = frozenset({SweepState.SUCCEEDED, SweepState.FAILED, SweepState.CANCELLED})


def sweep_state(counts: Mapping[JobState, int], *, num_halved: int, cancel_requested: bool) -> SweepState:
    """Return the state of a sweep, which has failed only if every member failed.

    Args:
        counts: Members in each state.
        num_halved: How many of the cancelled members its own halving stopped.
        cancel_requested: Whether a user cancelled it.
    """
    num_ended = sum(counts.get(state, 0) for state in TERMINAL)
    if num_ended < sum(counts.values()):
        waits = counts.get(JobState.QUEUED, 0) == sum(counts.values())
        return SweepState.QUEUED if waits else SweepState.RUNNING
    was_cancelled = counts.get(JobState.CANCELLED, 0) > num_halved
    if counts.get(JobState.SUCCEEDED, 0) > 0:
        return SweepState.CANCELLED if cancel_requested and was_cancelled else SweepState.SUCCEEDED
    return SweepState.FAILED if counts.get(JobState.FAILED, 0) > 0 and not was_cancelled else SweepState.CANCELLED


class Reason(StrEnum):
    """Why a job is in its state; the codes of ``state_reason``."""

    DIVERGED = "diverged"
    INVALID_DATA = "invalid_data"
    OUT_OF_MEMORY = "out_of_memory"
    DISK_FULL = "disk_full"
    MAX_RUNTIME_EXCEEDED = "max_runtime_exceeded"
    MAX_MEMORY_EXCEEDED = "max_memory_exceeded"
    WORKER_LOST = "worker_lost"
    WORKER_DRAINED = "worker_drained"
    CANCELLED_BY_USER = "cancelled_by_user"
    PAUSED_BY_USER = "paused_by_user"
    PAUSED_BY_OPERATOR = "paused_by_operator"
    WAITING_FOR_DEVICE = "waiting_for_device"
    WAITING_FOR_PLUGIN = "waiting_for_plugin"
    FUSION_LIMIT = "fusion_limit"
    HALVED = "halved"
    POISONED = "poisoned"
    PARSER_LOST = "parser_lost"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A reason's message and remedy for the user, unless the caller has better ones."""

    message: str
    remedy: str
    retryable: bool


EXPLANATIONS: Mapping[Reason, Explanation] = MappingProxyType(
    {
        Reason.DIVERGED: Explanation(
            "The loss stopped being a finite number.", "Lower the learning rate or the strengths.", False
        ),
        Reason.INVALID_DATA: Explanation(
            "The data cannot be trained on.", "Correct what the message names, and submit again.", False
        ),
        Reason.OUT_OF_MEMORY: Explanation(
            "The run needed more memory than its device has.", "Use a smaller batch or model.", False
        ),
        Reason.DISK_FULL: Explanation(
            "The disk of the worker is full.",
            "Free space on the worker's disk, or ask the operator to; then submit the job again if it failed.",
            True,
        ),
        Reason.MAX_RUNTIME_EXCEEDED: Explanation(
            "The run took longer than resources.max_runtime_s.", "Raise the limit, or train less.", False
        ),
        Reason.MAX_MEMORY_EXCEEDED: Explanation(
            "The run used more than resources.max_memory_bytes.", "Raise the limit, or use less.", False
        ),
        Reason.WORKER_LOST: Explanation(
            "The worker that ran the job stopped answering.",
            "Nothing, while the job is queued: it goes on from its checkpoint. If it failed, look at the workers' logs "
            "and submit it again.",
            True,
        ),
        Reason.WORKER_DRAINED: Explanation(
            "The worker that ran the job was shut down.", "Nothing: it goes on from its checkpoint.", True
        ),
        Reason.CANCELLED_BY_USER: Explanation(
            "A user cancelled the job.", "Submit it again if it is still wanted.", True
        ),
        Reason.PAUSED_BY_USER: Explanation("A user paused the job.", "Resume it.", True),
        Reason.PAUSED_BY_OPERATOR: Explanation("An operator paused the job.", "Wait, or ask the operator.", True),
        Reason.WAITING_FOR_DEVICE: Explanation(
            "No live worker has the device or pool that the job asks for.",
            "Start such a worker, or submit the job with other resources.",
            True,
        ),
        Reason.WAITING_FOR_PLUGIN: Explanation(
            "No live worker that could take the job has the plugins that it needs.",
            "Install them where a worker runs and restart it, or submit the job without their kinds.",
            True,
        ),
        Reason.FUSION_LIMIT: Explanation(
            "Training in one pass with other jobs met a limit.", "Nothing: it goes on alone.", True
        ),
        Reason.HALVED: Explanation(
            "Successive halving stopped it: other members of its sweep were better at the same epoch.",
            "Nothing: the sweep goes on with those. Submit its resolved_spec to train it to its end.",
            False,
        ),
        Reason.POISONED: Explanation(
            "The job's runs were lost again and again, the last one by the end of its process.",
            "Look at the end of its log: a job that ends the process that trains it is a fault of RegCore's or of the "
            "machine's. Report it.",
            False,
        ),
        Reason.PARSER_LOST: Explanation(
            "Reading the file ended the process that read it, again and again.",
            "Check the file with the program that wrote it. If it is sound, report this: a file that ends its reader "
            "shows a fault of RegCore's or of the machine's. Delete the data set before you upload the file once more: "
            "a file that the server holds is not read again.",
            False,
        ),
        Reason.INTERNAL_ERROR: Explanation(
            "The run ended by a fault that is not the job's.",
            "Submit it again; if it fails again, report it with its log.",
            True,
        ),
    }
)


def make_reason(
    code: Reason,
    message: str | None = None,
    *,
    remedy: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a ``state_reason``, with the code's own message and remedy unless better ones are given."""
    explanation = EXPLANATIONS[code]
    return {
        "code": code.value,
        "message": message if message is not None else explanation.message,
        "remedy": remedy if remedy is not None else explanation.remedy,
        "retryable": explanation.retryable,
        "details": dict(details or {}),
    }


def is_legal(before: JobState, after: JobState) -> bool:
    """Return whether a job may go directly from one state to another."""
    return after in TRANSITIONS[before]


def markdown_table() -> str:
    """Return the states as the table that the docs show."""
    rows = ["| state | meaning | next |", "| --- | --- | --- |"]
    for state, meaning in MEANINGS.items():
        following = " ".join(f"`{after}`" for after in JobState if after in TRANSITIONS[state])
        rows.append(f"| `{state}` | {meaning} | {following or 'none: terminal'} |")
    return "\n".join(rows) + "\n"
