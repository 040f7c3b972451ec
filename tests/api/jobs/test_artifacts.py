import pytest

from api.jobs.artifacts import find_file, read_file
from api.services import Services
from jobs.errors import ArtifactDamagedError, ArtifactNotFoundError, JobNotFoundError

CONTENT = b"0123456789"


def test_a_whole_file_is_found_and_read(services: Services, finished: str) -> None:
    artifact, path = find_file(services, "default", finished, "log.txt")

    assert artifact.size_bytes == 10
    assert path.read_bytes() == read_file(services, "default", finished, "log.txt") == CONTENT


def test_other_bytes_of_the_same_length_are_found_and_never_read(services: Services, finished: str) -> None:
    artifact, path = find_file(services, "default", finished, "log.txt")
    path.write_bytes(CONTENT[::-1])

    assert find_file(services, "default", finished, "log.txt") == (artifact, path)
    with pytest.raises(ArtifactDamagedError, match="holds other bytes"):
        read_file(services, "default", finished, "log.txt")


@pytest.mark.parametrize("look", [find_file, read_file])
def test_a_lost_file_is_damaged_and_a_name_without_one_is_not_found(
    look: object, services: Services, finished: str
) -> None:
    assert callable(look)
    find_file(services, "default", finished, "log.txt")[1].unlink()

    with pytest.raises(ArtifactDamagedError, match=r"'log\.txt' is damaged: its file is lost"):
        look(services, "default", finished, "log.txt")
    with pytest.raises(ArtifactNotFoundError):
        look(services, "default", finished, "nothing.txt")
    with pytest.raises(JobNotFoundError):
        look(services, "other", finished, "log.txt")
