import hashlib
import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.artifacts import ArtifactStore, media_type
from jobs.errors import ArtifactDamagedError
from jobs.model import ArtifactRow


@pytest.fixture
def artifact_store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def _file(folder: Path, content: bytes, name: str = "source") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _nothing_referenced(sha256s: Sequence[str]) -> set[str]:
    return set()


def test_a_file_is_kept_by_its_hash(artifact_store: ArtifactStore, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)

    sha256, size_bytes = artifact_store.put(_file(tmp_path, content))

    assert sha256 == hashlib.sha256(content).hexdigest()
    assert size_bytes == len(content)
    assert artifact_store.path(sha256) == tmp_path / "artifacts" / sha256[:2] / sha256[2:]
    with artifact_store.open(sha256) as file:
        assert file.read() == content


def test_the_same_bytes_are_kept_once(artifact_store: ArtifactStore, tmp_path: Path) -> None:
    sources = [_file(tmp_path, b"same", f"source-{n}") for n in range(8)]

    with ThreadPoolExecutor(8) as pool:
        hashes = {sha256 for sha256, _ in pool.map(artifact_store.put, sources)}

    assert len(hashes) == 1
    assert [path.is_file() for path in (tmp_path / "artifacts").rglob("*")] == [False, True]


def test_artifacts_are_private(artifact_store: ArtifactStore, tmp_path: Path) -> None:
    sha256, _ = artifact_store.put(_file(tmp_path, b"x"))

    assert stat.S_IMODE(artifact_store.path(sha256).stat().st_mode) == 0o600


def test_a_put_that_fails_leaves_nothing(
    artifact_store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space left"):
        artifact_store.put(_file(tmp_path, b"x"))

    assert list((tmp_path / "artifacts").iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 65, "a" * 63 + "\n"])
def test_only_a_hash_names_a_file(artifact_store: ArtifactStore, name: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        artifact_store.open(name)


def test_a_missing_file_is_not_found(artifact_store: ArtifactStore) -> None:
    with pytest.raises(FileNotFoundError):
        artifact_store.open("a" * 64)


def test_unreferenced_files_go_and_others_stay(artifact_store: ArtifactStore, tmp_path: Path) -> None:
    kept, _ = artifact_store.put(_file(tmp_path, b"kept"))
    gone, _ = artifact_store.put(_file(tmp_path, b"gone"))

    deleted = artifact_store.delete_unreferenced(lambda sha256s: {kept} & set(sha256s), min_age_s=-1)

    assert deleted == [gone]
    assert artifact_store.path(kept).exists()
    assert not artifact_store.path(gone).exists()


def test_only_those_asked_for_are_looked_at(artifact_store: ArtifactStore, tmp_path: Path) -> None:
    one, _ = artifact_store.put(_file(tmp_path, b"one"))
    other, _ = artifact_store.put(_file(tmp_path, b"other"))

    deleted = artifact_store.delete_unreferenced(_nothing_referenced, among=[one, "f" * 64], min_age_s=-1)

    assert deleted == [one]
    assert artifact_store.path(other).exists()


def test_a_young_file_is_spared_and_a_second_put_makes_it_young(artifact_store: ArtifactStore, tmp_path: Path) -> None:
    sha256, _ = artifact_store.put(_file(tmp_path, b"x"))
    os.utime(artifact_store.path(sha256), (1, 1))
    artifact_store.put(_file(tmp_path, b"x"))

    young = artifact_store.delete_unreferenced(_nothing_referenced)
    os.utime(artifact_store.path(sha256), (1, 1))

    assert young == []
    assert artifact_store.delete_unreferenced(_nothing_referenced) == [sha256]


def test_what_a_killed_put_left_goes_too(artifact_store: ArtifactStore, tmp_path: Path) -> None:
    artifact_store.put(_file(tmp_path, b"x"))
    leftover = _file(tmp_path / "artifacts", b"half", ".incoming-dead")
    os.utime(leftover, (1, 1))

    artifact_store.delete_unreferenced(_nothing_referenced)

    assert not leftover.exists()


def test_free_bytes_are_those_of_the_file_system(artifact_store: ArtifactStore) -> None:
    assert artifact_store.free_bytes() > 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model.safetensors", "application/octet-stream"),
        ("report.json", "application/json"),
        ("metrics.csv", "text/csv; charset=utf-8"),
        ("log.txt", "text/plain; charset=utf-8"),
        ("tensorboard.zip", "application/zip"),
        ("confusion_matrix.svg", "image/svg+xml"),
        ("page.html", "application/octet-stream"),
    ],
)
def test_media_types(name: str, expected: str) -> None:
    assert media_type(name) == expected


def test_what_was_put_in_is_found_and_holds(artifact_store: ArtifactStore, tmp_path: Path) -> None:
    sha256, size_bytes = artifact_store.put(_file(tmp_path, b"content"))
    row = ArtifactRow("a", size_bytes, sha256, "text/plain")

    assert artifact_store.find(row) == artifact_store.verify(row) == artifact_store.path(sha256)


def test_other_bytes_of_the_same_length_are_found_and_do_not_hold(
    artifact_store: ArtifactStore, tmp_path: Path
) -> None:
    sha256, size_bytes = artifact_store.put(_file(tmp_path, b"content"))
    row = ArtifactRow("a", size_bytes, sha256, "text/plain")
    artifact_store.path(sha256).write_bytes(b"CONTENT")

    assert artifact_store.find(row).read_bytes() == b"CONTENT"
    with pytest.raises(ArtifactDamagedError, match="'a' is damaged: its file holds other bytes"):
        artifact_store.verify(row)


def test_putting_the_same_bytes_in_again_mends_a_damaged_file(artifact_store: ArtifactStore, tmp_path: Path) -> None:
    sha256, size_bytes = artifact_store.put(_file(tmp_path, b"content"))
    artifact_store.path(sha256).write_bytes(b"")

    artifact_store.put(tmp_path / "source")

    assert artifact_store.verify(ArtifactRow("a", size_bytes, sha256, "text/plain")).read_bytes() == b"content"
