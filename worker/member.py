"""One job of a run, as its supervisor sees it: its log, its limits, what was asked of it and how it ends."""

from pathlib import Path
from typing import Any

from jobs.model import ArtifactRow, Job, JobEnd
from jobs.states import JobState, Reason, make_reason
from worker.files import RunDirectory
from worker.outcome import StopCause, Verdict
from worker.protocol import RunMember


class Member:
    """One job of a run.

    Args:
        job: As it was claimed.
        directory: Its own, for its log and artifacts.

    Attributes:
        cause: Why it was asked to stop or to leave, if it was.
        leave_by: When its patience with the pass ends, on the monotonic clock.
        verdict: What becomes of it, once that is known.
        device_s: Its share of the time that the device was in use.
        is_saved_apart: Whether it was saved for itself in this run.
        keeps_checkpoint: Whether its group's newest checkpoint was kept for it.
    """

    def __init__(self, job: Job, directory: RunDirectory) -> None:
        self.job = job
        self.directory = directory
        self.resources: dict[str, Any] = job.resolved_spec["resources"]
        self.cause: StopCause | None = None
        self.leave_by: float | None = None
        self.verdict: Verdict | None = None
        self.is_saved_apart = False
        self.keeps_checkpoint = False
        self.device_s = 0.0
        self.peak_memory_bytes = 0

    @property
    def id(self) -> str:
        return self.job.id

    @property
    def is_active(self) -> bool:
        """Whether it still trains, as far as is known."""
        return self.verdict is None

    @property
    def goes_back(self) -> bool:
        """Whether it goes back to the queue for what has ended the whole pass."""
        return self.verdict is not None and self.verdict.state is JobState.QUEUED and self.leave_by is None

    @property
    def used_s(self) -> float:
        """Device time of all its runs."""
        earlier: float = self.job.usage["device_s"]
        return earlier + self.device_s

    def as_message(self, log: Path, starting_weights: Path | None) -> RunMember:
        """The job as its runner is told of it."""
        rungs = (self.job.sweep or {}).get("rungs")
        more: dict[str, Any] = {"rungs": rungs["epochs"], "rung_metric": rungs["metric"]} if rungs else {}
        return RunMember(
            job_id=self.id,
            key=(self.job.checkpoint or {}).get("key", self.id),
            spec=self.job.resolved_spec,
            directory=str(self.directory.path.resolve()),
            log=str(log.resolve()),
            starting_weights=None if starting_weights is None else str(starting_weights.resolve()),
            **more,
        )

    def end(self, artifacts: list[ArtifactRow]) -> JobEnd:
        """How the run ends for it, for the store."""
        assert self.verdict is not None, "only what has been judged ends"
        return JobEnd(
            job_id=self.id,
            state=self.verdict.state,
            reason=self.verdict.reason,
            last_reason=self.verdict.last_reason,
            result=self.verdict.result,
            usage={"device_s": round(self.device_s, 3), "peak_memory_bytes": self.peak_memory_bytes},
            artifacts=artifacts,
            alone=self.verdict.alone,
            leaves=self.leave_by is not None,
            keeps_checkpoint=self.keeps_checkpoint,
        )


def sent_back(message: str, details: dict[str, Any] | None = None) -> Verdict:
    """Back to the queue, to train alone: the company was too much."""
    return Verdict(JobState.QUEUED, make_reason(Reason.FUSION_LIMIT, message, details=details), alone=True)
