"""Where the checkpoints of jobs lie, and how a run takes over those of the run before it."""

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from jobs.model import Job


class RunCheckpoints:
    """`{checkpoints_dir}/{job_id}/{run_id}`: a run writes into its own folder, so a stale one disturbs nobody.

    Args:
        root: The setting.
        run_id: The fence.
        job: As it was claimed; its checkpoint is the newest that the store has accepted.
    """

    def __init__(self, root: Path, run_id: int, job: Job) -> None:
        self._of_job = root / job.id
        self.path = self._of_job / str(run_id)
        self._run_id = run_id
        self._accepted = job.checkpoint

    def take_over(self) -> None:
        """Begin with the accepted checkpoint, and the one before it, should it turn out to be damaged.

        Later ones that the store has not heard of are left behind: records of the steps before them may be lost. Links
        and no copies where the file system has them, for a checkpoint never changes.
        """
        self.path.mkdir(parents=True, mode=0o700, exist_ok=True)
        if self._accepted is None:
            return
        newest = self._accepted["name"]
        for checkpoint in (self._of_job / str(self._accepted["run_id"])).glob("step-*"):
            if checkpoint.name <= newest:
                shutil.copytree(checkpoint, self.path / checkpoint.name, copy_function=_link)

    def forget_earlier_runs(self) -> None:
        """Delete what earlier runs left: the store has accepted a checkpoint of this one."""
        for folder in self._of_job.iterdir():
            if int(folder.name) < self._run_id:
                shutil.rmtree(folder, ignore_errors=True)

    def remove(self) -> None:
        """Delete all of the job's: it has ended."""
        shutil.rmtree(self._of_job, ignore_errors=True)


def saved_jobs(root: Path) -> list[str]:
    """Ids of the jobs that have checkpoints."""
    return sorted(folder.name for folder in root.iterdir()) if root.is_dir() else []


def remove_checkpoints(root: Path, job_ids: Collection[str]) -> None:
    """Delete the checkpoints of these jobs."""
    for job_id in job_ids:
        shutil.rmtree(root / job_id, ignore_errors=True)


def _link(source: str, destination: str) -> str:
    try:
        os.link(source, destination)
    except OSError:  # a file system without links
        return str(shutil.copy2(source, destination))
    return destination
