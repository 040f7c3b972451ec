"""Where the checkpoints of jobs lie, and how a run takes over those of the run before it."""

import os
import re
import shutil
import time
from collections.abc import Collection
from pathlib import Path

from jobs.artifacts import sync_folder
from jobs.model import Job

_JOB_ID = re.compile(r"job_[0-9A-Z]{26}")


class RunCheckpoints:
    """`{checkpoints_dir}/{job_id}/{run_id}`: a run writes into its own folder, so a stale one disturbs nobody.

    Args:
        root: The setting.
        run_id: The fence.
        job: As it was claimed; its checkpoint is the newest that the store has accepted.
    """

    def __init__(self, root: Path, run_id: int, job: Job) -> None:
        self._root = root
        self._of_job = root / job.id
        self.path = self._of_job / str(run_id)
        self._run_id = run_id
        self._accepted = job.checkpoint

    @property
    def accepted_step(self) -> int:
        """The step of the checkpoint that the store had accepted when the run was claimed; 0 if there was none."""
        return 0 if self._accepted is None else int(self._accepted["step"])

    def take_over(self) -> bool:
        """Begin with the accepted checkpoint, and the one before it, should it turn out to be damaged.

        Later ones that the store has not heard of are left behind: records of the steps before them may be lost. Links
        and no copies where the file system has them, for a checkpoint never changes.

        Returns:
            False where the accepted checkpoint is not there.
        """
        self.path.mkdir(parents=True, mode=0o700, exist_ok=True)
        found = self._accepted is None
        if self._accepted is not None:
            newest = self._accepted["name"]
            for checkpoint in (self._of_job / str(self._accepted["run_id"])).glob("step-*"):
                if checkpoint.name <= newest:
                    shutil.copytree(checkpoint, self.path / checkpoint.name, copy_function=_link)
                    found |= checkpoint.name == newest
        for folder in (self.path, self._of_job, self._root):
            sync_folder(folder)
        return found

    def forget_earlier_runs(self) -> None:
        """Delete what earlier runs left: the store has accepted a checkpoint of this one."""
        for folder in self._of_job.iterdir():
            if folder.name.isdigit() and int(folder.name) < self._run_id:
                shutil.rmtree(folder, ignore_errors=True)

    def remove(self) -> None:
        """Delete all of the job's: it has ended."""
        shutil.rmtree(self._of_job, ignore_errors=True)


def saved_jobs(root: Path, *, min_age_s: float = 0.0) -> list[str]:
    """Ids of the jobs that have checkpoints, of those only that nobody has touched for so long."""
    if not root.is_dir():
        return []
    newest = time.time() - min_age_s
    folders = [folder for folder in root.iterdir() if _JOB_ID.fullmatch(folder.name)]
    return sorted(folder.name for folder in folders if folder.stat().st_mtime <= newest)


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
