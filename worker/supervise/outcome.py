"""How a run ends: one decision from the runner's last message, the request to stop, and the exit status."""

import signal
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from jobs.states import JobState, Reason, make_reason
from worker.protocol import EXIT_LEASE_LOST, Ended


class StopCause(StrEnum):
    """Why a supervisor asked its runner to stop."""

    CANCEL = "cancel"  # the user asked for it
    PAUSE = "pause"  # the user asked for it
    DRAIN = "drain"  # this worker is shutting down
    MAX_RUNTIME = "max_runtime"  # resources.max_runtime_s has passed
    MAX_MEMORY = "max_memory"  # resources.max_memory_bytes was exceeded

    @property
    def saves(self) -> bool:
        """Whether the run saves a checkpoint now, to resume later."""
        return self in (StopCause.PAUSE, StopCause.DRAIN)


@dataclass(frozen=True)
class JobOutcome:
    """What becomes of a job.

    Attributes:
        state: A terminal state, or `queued` to resume later, unless the user asked for another state.
        reason: The job's `state_reason`.
        result: Of a success.
        last_reason: For a lost run: why the job fails if this was one loss too many.
        alone: Whether the job may no longer train with others.
    """

    state: JobState
    reason: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    last_reason: dict[str, Any] | None = None
    alone: bool = False


@dataclass(frozen=True)
class Crash:
    """A runner that died without a last message.

    Attributes:
        returncode: As `subprocess` gives it: minus the signal's number, or the exit status.
        log_tail: The last lines of its log.
        oom_killed: Whether the kernel killed a process for want of memory meanwhile.
        started: Whether it had taken the run up.
    """

    returncode: int
    log_tail: list[str]
    oom_killed: bool = False
    started: bool = True


def judge(end: Ended | Crash, cause: StopCause | None, resources: dict[str, Any]) -> JobOutcome:
    """Decide what becomes of the job.

    A run that succeeded before it saw the request to stop has succeeded. After a request, every other end is the one
    that was requested.

    Args:
        end: The runner's last message, or its death.
        cause: Why it was asked to stop, if it was.
        resources: The spec's, for the messages.
    """
    if isinstance(end, Ended) and end.outcome == "succeeded":
        return JobOutcome(JobState.SUCCEEDED, result=end.result)
    if cause is StopCause.CANCEL:
        return JobOutcome(JobState.CANCELLED, make_reason(Reason.CANCELLED_BY_USER))
    if isinstance(end, Ended) and end.outcome == "halved":
        return JobOutcome(JobState.CANCELLED, make_reason(Reason.HALVED, details=(end.reason or {}).get("details")))
    if isinstance(end, Ended) and end.outcome == "failed":
        return JobOutcome(JobState.FAILED, end.reason)
    if cause is StopCause.MAX_RUNTIME:
        return JobOutcome(JobState.FAILED, _max_runtime(resources["max_runtime_s"]))
    if cause is StopCause.MAX_MEMORY:
        return JobOutcome(JobState.FAILED, _max_memory(resources["max_memory_bytes"]))
    if isinstance(end, Crash) and cause is None:
        return _lost(end)
    # Paused, drained, or stopped by a signal from outside: it resumes later, maybe on another worker.
    reason = Reason.PAUSED_BY_USER if cause is StopCause.PAUSE else Reason.WORKER_DRAINED
    return JobOutcome(JobState.QUEUED, make_reason(reason))


def _max_runtime(max_runtime_s: float) -> dict[str, Any]:
    return make_reason(
        Reason.MAX_RUNTIME_EXCEEDED,
        f"The job trained for longer than resources.max_runtime_s = {max_runtime_s:g}.",
        details={"max_runtime_s": max_runtime_s},
    )


def _max_memory(max_memory_bytes: int) -> dict[str, Any]:
    return make_reason(
        Reason.MAX_MEMORY_EXCEEDED,
        f"The runner's resident memory exceeded resources.max_memory_bytes = {max_memory_bytes}; "
        "a small job needs about 1 GB, most of it for torch.",
        details={"max_memory_bytes": max_memory_bytes},
    )


def _lost(crash: Crash) -> JobOutcome:
    """Retry the job of a killed runner, which may be innocent; it fails only if that happens again and again."""
    how, details = _describe(crash)
    details["log_tail"] = crash.log_tail
    said = f"The runner process {how} {'while it trained' if crash.started else 'before it could train'}."
    reason = make_reason(Reason.WORKER_LOST, said, details=details)
    if not crash.started or crash.returncode == EXIT_LEASE_LOST:  # not the job's fault
        last_reason = reason
    elif crash.oom_killed and crash.returncode == -signal.SIGKILL:
        message = f"{said} The machine had run out of memory."
        last_reason = make_reason(Reason.OUT_OF_MEMORY, message, details=details)
    else:
        last_reason = make_reason(Reason.POISONED, said, details=details)
    return JobOutcome(JobState.QUEUED, reason, last_reason=last_reason)


def _describe(crash: Crash) -> tuple[str, dict[str, Any]]:
    if crash.returncode < 0:
        number = -crash.returncode
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        return f"was killed by {name}", {"signal": name}
    return f"exited with status {crash.returncode}", {"exit_status": crash.returncode}
