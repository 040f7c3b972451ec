"""Where the checkpoints of jobs are, and how a run takes over those of the previous run."""

import os
import re
import shutil
import time
from collections.abc import Collection
from pathlib import Path

from jobs.incoming import sync_folder
from jobs.model import Job

TRAINED_FIRST = "trained-first"
"""Beside the checkpoints: models that the engine trains before the run itself, such as a teacher."""
_OWNER_ID = re.compile(r"(job|grp)_[0-9A-Z]{26}")


class RunCheckpoints:
    """`{checkpoints_dir}/{owner}/{run_id}`: each run writes into its own folder, so a stale run does no damage.

    The owner is the job, or the group of jobs that train in one pass.

    Args:
        root: The setting.
        owner: Id of the job or the group.
        run_id: The fence.
        job: One of the run's jobs, as it was claimed; it names the newest checkpoint that the store has accepted.
    """

    def __init__(self, root: Path, owner: str, run_id: int, job: Job) -> None:
        self._root = root
        self._of_owner = root / owner
        self.path = self._of_owner / str(run_id)
        self._run_id = run_id
        self._accepted = job.checkpoint
        self._newest_name: str | None = None if job.checkpoint is None else job.checkpoint["name"]

    @property
    def accepted_step(self) -> int:
        """The step of the checkpoint that the store had accepted when the run was claimed; 0 if there was none."""
        return 0 if self._accepted is None else int(self._accepted["step"])

    def take_over(self) -> bool:
        """Take over the accepted checkpoint, and the one before it in case the newer one is damaged.

        Newer ones that the store has not accepted are left out: records of earlier steps may be lost. A checkpoint
        never changes, so it is linked, and copied only if the file system has no links.

        Returns:
            False if the accepted checkpoint is missing.
        """
        self.path.mkdir(parents=True, mode=0o700, exist_ok=True)
        found = self._accepted is None
        if self._accepted is not None:
            newest = self._accepted["name"]
            saved_in = self._root / self._accepted["owner"] / str(self._accepted["run_id"])
            for checkpoint in saved_in.glob("step-*"):
                if checkpoint.name <= newest:
                    shutil.copytree(checkpoint, self.path / checkpoint.name, copy_function=_link)
                    found |= checkpoint.name == newest
        self._take_over_models()
        for folder in (self.path, self._of_owner, self._root):
            sync_folder(folder)
        return found

    def _take_over_models(self) -> None:
        """Take over what was trained first, or begun: beside the accepted checkpoint, else by the last run that did.

        What is not found is trained again, to the same bits.
        """
        if self._accepted is not None:
            runs = [self._root / self._accepted["owner"] / str(self._accepted["run_id"])]
        else:
            ids = (int(folder.name) for folder in self._of_owner.iterdir() if folder.name.isdigit())
            runs = [self._of_owner / str(one) for one in sorted(ids, reverse=True) if one < self._run_id]
        newest = next((run for run in runs if (run / TRAINED_FIRST).is_dir()), None)
        if newest is not None:
            _link_models(newest, self.path)

    def apart(self, job_id: str) -> Path:
        """Where one job of the run is saved separately."""
        return self._root / job_id / str(self._run_id)

    def accept(self, name: str) -> None:
        """Note that the store has accepted a checkpoint of this run."""
        self._newest_name = name

    def keep_apart(self, job_id: str, max_bytes: int) -> bool:
        """Keep the newest accepted checkpoint for one job that ends; the others train on and delete it here.

        It holds all members. Hard links cost no disk until the group deletes its own copy.

        Returns:
            False if there is none, if it is larger than `max_bytes`, or if it cannot be written.
        """
        if self._newest_name is None:
            return False
        checkpoint, own = self.path / self._newest_name, self.apart(job_id)
        kept = own / checkpoint.name
        try:
            if sum(file.stat().st_size for file in checkpoint.iterdir()) > max_bytes:
                return False
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(checkpoint, kept, copy_function=_link)
            for folder in (kept, own, own.parent, self._root):
                sync_folder(folder)
        except OSError:
            shutil.rmtree(kept, ignore_errors=True)
            return False
        return True

    def keep_models_apart(self, job_id: str) -> None:
        """Keep what was trained first, or begun, for one job of a group, from which it may go on alone."""
        own = self.apart(job_id) / TRAINED_FIRST
        if (self.path / TRAINED_FIRST).is_dir() and not own.exists():
            _link_models(self.path, self.apart(job_id))

    def forget_earlier_runs(self) -> None:
        """Delete the checkpoints of earlier runs, once the store has accepted one of this run."""
        for folder in self._of_owner.iterdir():
            if folder.name.isdigit() and int(folder.name) < self._run_id:
                shutil.rmtree(folder, ignore_errors=True)

    def remove(self) -> None:
        """Delete all checkpoints of the owner, from which no job will resume."""
        shutil.rmtree(self._of_owner, ignore_errors=True)


def owners(root: Path, *, min_age_s: float = 0.0) -> list[str]:
    """Ids of the jobs and groups whose checkpoints are at least this old."""
    if not root.is_dir():
        return []
    newest = time.time() - min_age_s
    folders = [folder for folder in root.iterdir() if _OWNER_ID.fullmatch(folder.name)]
    return sorted(folder.name for folder in folders if folder.stat().st_mtime <= newest)


def remove_checkpoints(root: Path, owner_ids: Collection[str]) -> None:
    """Delete the checkpoints of these jobs and groups."""
    for owner_id in owner_ids:
        shutil.rmtree(root / owner_id, ignore_errors=True)


def _link_models(run: Path, to_run: Path) -> None:
    """Link what was trained first into another run's folder: all of it, or nothing, and then it is trained again."""
    try:
        shutil.copytree(run / TRAINED_FIRST, to_run / TRAINED_FIRST, copy_function=_link)
    except OSError:  # its run still writes there, and deletes what it has replaced
        shutil.rmtree(to_run / TRAINED_FIRST, ignore_errors=True)


def _link(source: str, destination: str) -> str:
    try:
        os.link(source, destination)
    except OSError:  # a file system without links
        return str(shutil.copy2(source, destination))
    return destination
