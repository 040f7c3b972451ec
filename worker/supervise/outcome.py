"""How a run ends: one decision from the runner's last message, the request to stop, and the exit status."""

import signal
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from jobs.model import Settlement
from jobs.states import JobState, Reason, make_reason
from worker.protocol import EXIT_LEASE_LOST, JobEnded


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


def judge(job_id: str, end: JobEnded | Crash, cause: StopCause | None, resources: dict[str, Any]) -> Settlement:
    """Decide what becomes of a job: the settlement, but for what the run has measured and stored.

    A run that succeeded before it saw the request to stop has succeeded. After a request, every other end is the one
    that was requested.

    Args:
        job_id: Which job.
        end: The runner's last message about it, or the runner's death.
        cause: Why it was asked to stop, if it was.
        resources: The spec's, for the messages.
    """
    settled = partial(Settlement, job_id=job_id)
    if isinstance(end, JobEnded) and end.outcome == "succeeded":
        return settled(state=JobState.SUCCEEDED, result=end.result)
    if cause is StopCause.CANCEL:
        return settled(state=JobState.CANCELLED, reason=make_reason(Reason.CANCELLED_BY_USER))
    if isinstance(end, JobEnded) and end.outcome == "halved":
        reason = make_reason(Reason.HALVED, details=(end.reason or {}).get("details"))
        return settled(state=JobState.CANCELLED, reason=reason)
    if isinstance(end, JobEnded) and end.outcome == "failed":
        return settled(state=JobState.FAILED, reason=end.reason)
    if cause is StopCause.MAX_RUNTIME:
        return settled(state=JobState.FAILED, reason=_max_runtime(resources["max_runtime_s"]))
    if cause is StopCause.MAX_MEMORY:
        return settled(state=JobState.FAILED, reason=_max_memory(resources["max_memory_bytes"]))
    if isinstance(end, Crash) and cause is None:
        return _lost(job_id, end)
    # Paused, drained, or stopped by a signal from outside: it resumes later, maybe on another worker.
    why = Reason.PAUSED_BY_USER if cause is StopCause.PAUSE else Reason.WORKER_DRAINED
    return settled(state=JobState.QUEUED, reason=make_reason(why))


def sent_back(job_id: str, message: str) -> Settlement:
    """Back to the queue, to train alone: together the jobs were too large."""
    return Settlement(
        job_id=job_id, state=JobState.QUEUED, reason=make_reason(Reason.FUSION_LIMIT, message), alone=True
    )


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


def _lost(job_id: str, crash: Crash) -> Settlement:
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
    return Settlement(job_id=job_id, state=JobState.QUEUED, reason=reason, last_reason=last_reason)


def _describe(crash: Crash) -> tuple[str, dict[str, Any]]:
    if crash.returncode < 0:
        number = -crash.returncode
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        return f"was killed by {name}", {"signal": name}
    return f"exited with status {crash.returncode}", {"exit_status": crash.returncode}
