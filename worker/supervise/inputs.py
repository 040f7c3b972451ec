"""The models of other jobs that a run's jobs need, as files for the runner."""

from pathlib import Path
from typing import Final

from jobs.errors import ArtifactDamagedError, ArtifactNotFoundError, JobNotFoundError, JobsError
from jobs.model import ArtifactRow
from worker.supervise.files import run_inputs
from worker.supervise.lease import Lease
from worker.surroundings import Surroundings

_WEIGHTS: Final = "model.safetensors"
_DESCRIPTION: Final = "model.json"


class Inputs:
    """Each model is a folder of the run with links to the stored files, read through once for all jobs that need it.

    Args:
        surroundings: The worker's.
        run_id: The run's.
        lease: The run's, which is kept while large files are read.
    """

    def __init__(self, surroundings: Surroundings, run_id: int, lease: Lease) -> None:
        self._around = surroundings
        self._folder = run_inputs(surroundings.settings.data_dir, run_id)
        self._lease = lease
        self._found: dict[tuple[str, str], Path | JobsError] = {}

    def files(self, tenant: str, job_id: str) -> Path | JobsError:
        """A job's weights, with their description beside them if it has one; or why they cannot be had."""
        asked = (tenant, job_id)
        if asked not in self._found:
            try:
                rows = self._lease.insist(lambda: self._rows(tenant, job_id))
                self._found[asked] = self._link(job_id, {row.name: self._verified(row) for row in rows})
            except (JobNotFoundError, ArtifactNotFoundError, ArtifactDamagedError) as error:
                self._found[asked] = error
        return self._found[asked]

    def _rows(self, tenant: str, job_id: str) -> list[ArtifactRow]:
        weights = self._around.store.artifact(tenant, job_id, _WEIGHTS)
        return [weights, *(row for row in self._around.store.artifacts(tenant, job_id) if row.name == _DESCRIPTION)]

    def _verified(self, row: ArtifactRow) -> Path:
        """Checked against their hash: otherwise altered weights would be used unnoticed."""
        self._lease.renew_if_due()  # reading large files takes a while
        return self._around.artifacts.verify(row)

    def _link(self, job_id: str, files: dict[str, Path]) -> Path:
        """The stored files by their own names: in the store they are named by their hashes."""
        folder = self._folder / job_id
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        for name, file in files.items():
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(file.resolve())
        return folder / _WEIGHTS
