"""One job of a run as its supervisor sees it: log, limits, requests to stop, and how it ends."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.model import ArtifactRow, Job, Settlement
from jobs.states import JobState, Reason
from worker.protocol import Assignment, JobEnded
from worker.supervise.files import RunDirectory
from worker.supervise.outcome import Crash, StopCause, judge, sent_back

_PERHAPS_BY_COMPANY = frozenset({Reason.OUT_OF_MEMORY, Reason.DISK_FULL, Reason.INTERNAL_ERROR})
"""Failures that fusion may cause: the job is retried alone."""


class LiveJob:
    """One job of a run.

    Args:
        row: The job as it was claimed.
        directory: The job's own, for its log and artifacts.

    Attributes:
        cause: Why it was asked to stop or to leave the pass, if it was.
        leave_by: When it is ended if it has not left the pass by then, on the monotonic clock.
        settlement: How it ends, once that is known.
        device_s: Its share of the device's time.
        is_saved_apart: Whether this run saved a checkpoint of this job alone.
        keeps_checkpoint: Whether its group's newest checkpoint was kept for it.
    """

    def __init__(self, row: Job, directory: RunDirectory) -> None:
        self.row = row
        self.directory = directory
        self.resources: dict[str, Any] = row.resolved_spec["resources"]
        self.cause: StopCause | None = None
        self.leave_by: float | None = None
        self.settlement: Settlement | None = None
        self.is_saved_apart = False
        self.keeps_checkpoint = False
        self.device_s = 0.0
        self.peak_memory_bytes = 0

    @property
    def id(self) -> str:
        return self.row.id

    @property
    def is_active(self) -> bool:
        """Whether the job still trains, as far as is known."""
        return self.settlement is None

    @property
    def goes_back(self) -> bool:
        """Whether the job goes back to the queue because the whole pass ended."""
        return self.settlement is not None and self.settlement.state is JobState.QUEUED and self.leave_by is None

    @property
    def used_s(self) -> float:
        """Device time of all the job's runs."""
        earlier: float = self.row.usage["device_s"]
        return earlier + self.device_s

    def assignment(self, log: Path, inputs: Mapping[str, Path]) -> Assignment:
        """What the runner is told of the job."""
        rungs = (self.row.sweep or {}).get("rungs")
        more: dict[str, Any] = {"rungs": rungs["epochs"], "rung_metric": rungs["metric"]} if rungs else {}
        return Assignment(
            job_id=self.id,
            key=(self.row.checkpoint or {}).get("key", self.id),
            spec=self.row.resolved_spec,
            directory=str(self.directory.path.resolve()),
            log=str(log.resolve()),
            inputs={name: str(file.absolute()) for name, file in inputs.items()},  # links, beside each other
            **more,
        )

    def judge(self, end: JobEnded | Crash, num_jobs: int) -> None:
        """Decide how the job ends.

        Args:
            end: The runner's last message about it, or the runner's death.
            num_jobs: Jobs in its run, itself included.
        """
        back = self._because_of_company(end, num_jobs) if isinstance(end, JobEnded) else None
        self.settlement = back or judge(self.id, end, self.cause, self.resources)

    def _because_of_company(self, ended: JobEnded, num_jobs: int) -> Settlement | None:
        """Send a job back to train alone if its companions may have caused the failure or the limit."""
        if ended.of_the_pass and ended.reason is not None and num_jobs > 1 and self.cause is None:
            if ended.reason["code"] in _PERHAPS_BY_COMPANY:
                return sent_back(
                    self.id, f"The pass with {num_jobs - 1} other job(s) failed: {ended.reason['message']}"
                )
            return None
        if self.leave_by is None or ended.outcome != "stopped":
            return None
        if self.cause is StopCause.MAX_MEMORY:
            limit = self.resources["max_memory_bytes"]
            return sent_back(self.id, f"The pass takes more than the job's resources.max_memory_bytes = {limit}.")
        if self.cause is StopCause.MAX_RUNTIME and self.used_s <= self.resources["max_runtime_s"]:
            limit_s = self.resources["max_runtime_s"]
            return sent_back(self.id, f"The pass takes longer than the job's resources.max_runtime_s = {limit_s:g}.")
        return None

    def settled(self, artifacts: list[ArtifactRow]) -> Settlement:
        """How the run ended for this job, with what it measured and stored."""
        assert self.settlement is not None, "only what has been judged is settled"
        return replace(
            self.settlement,
            usage={"device_s": round(self.device_s, 3), "peak_memory_bytes": self.peak_memory_bytes},
            artifacts=artifacts,
            leaves=self.leave_by is not None,
            keeps_checkpoint=self.keeps_checkpoint,
        )
