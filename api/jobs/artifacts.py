"""The files of jobs, complete or not at all: a damaged file is a server error, and is logged."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.services import Services
from jobs.errors import ArtifactDamagedError
from jobs.logs import get_logger
from jobs.model import ArtifactRow

_logger = get_logger(__name__)


def find_file(services: Services, tenant: str, job_id: str, name: str) -> tuple[ArtifactRow, Path]:
    """Return an artifact and its file, after a check that it exists and has its size.

    Raises:
        JobNotFoundError: There is no such job.
        ArtifactNotFoundError: It has no such artifact.
        ArtifactDamagedError: The file is missing, or differs from what was stored.
    """
    artifact = services.store.artifact(tenant, job_id, name)
    with _damage_told(services, tenant, job_id, name):
        return artifact, services.artifacts.find(artifact)


def read_file(services: Services, tenant: str, job_id: str, name: str) -> bytes:
    """Return an artifact's content, checked against its hash. Raises as `find_file` does."""
    artifact = services.store.artifact(tenant, job_id, name)
    with _damage_told(services, tenant, job_id, name):
        return services.artifacts.verify(artifact).read_bytes()


@contextmanager
def _damage_told(services: Services, tenant: str, job_id: str, name: str) -> Iterator[None]:
    try:
        yield
    except ArtifactDamagedError as error:
        services.store.artifact(tenant, job_id, name)  # raises if the job was deleted a moment ago
        _logger.error("artifact_damaged", job_id=job_id, name=name, how=error.how)
        raise
