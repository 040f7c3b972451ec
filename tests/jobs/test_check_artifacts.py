import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from one_job import finish

from jobs.artifacts import ArtifactStore
from jobs.check_artifacts import check_artifacts, main
from jobs.errors import UnmigratedDatabaseError
from jobs.migrate import migrate
from jobs.model import ArtifactRow, Capabilities, NewDataset, ParsedTable
from jobs.settings import Settings
from jobs.states import JobState
from jobs.store import Store

FILES = ("altered", "lost", "truncated", "whole")


@pytest.fixture
def ended(store: Store, submit: Any, cpu: Capabilities, migrated_settings: Settings, tmp_path: Path) -> list[str]:
    """Two jobs with the same four files, in the order of their ids."""
    files = ArtifactStore(migrated_settings.artifacts_dir)
    rows = []
    for name in FILES:
        (tmp_path / name).write_bytes(f"content of {name}".encode())
        sha256, size_bytes = files.put(tmp_path / name)
        rows.append(ArtifactRow(name, size_bytes, sha256, "application/octet-stream"))
    ids = []
    for _ in range(2):
        ids.append(submit().id)
        run = store.claim("wrk_1", cpu)
        assert run is not None
        store.start_all(run.run_id)
        finish(store, run.run_id, ids[-1], JobState.SUCCEEDED, artifacts=rows)
    return ids


def damage(settings: Settings, store: Store, tenant: str, job_id: str) -> None:
    files = ArtifactStore(settings.artifacts_dir)
    altered, lost, truncated = (files.path(store.artifact(tenant, job_id, name).sha256) for name in FILES[:3])
    altered.write_bytes(altered.read_bytes()[::-1])
    lost.unlink()
    truncated.write_bytes(b"content")


def test_whole_files_are_whole(migrated_settings: Settings, ended: list[str]) -> None:
    assert check_artifacts(migrated_settings) == {"num_checked": 8, "damaged": []}


@pytest.mark.parametrize("read_at_once", [1, 3, 500])
def test_every_damaged_file_of_every_job_is_named(
    read_at_once: int,
    migrated_settings: Settings,
    store: Store,
    tenant: str,
    ended: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobs.check_artifacts._READ_AT_ONCE", read_at_once)
    damage(migrated_settings, store, tenant, ended[0])

    found = check_artifacts(migrated_settings)

    how = {
        "altered": "its file holds other bytes",
        "lost": "its file is lost",
        "truncated": "its file has 7 bytes instead of 20",
    }
    assert found["num_checked"] == 8
    assert found["damaged"] == [
        {"id": job_id, "name": name, "how": how[name]} for job_id in sorted(ended) for name in sorted(how)
    ]


@pytest.mark.parametrize("read_at_once", [1, 500])
def test_files_of_data_sets_are_checked_too(
    read_at_once: int,
    migrated_settings: Settings,
    store: Store,
    tenant: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobs.check_artifacts._READ_AT_ONCE", read_at_once)
    files = ArtifactStore(migrated_settings.artifacts_dir)
    (tmp_path / "file").write_bytes(b"content")
    sha256, size_bytes = files.put(tmp_path / "file")
    whole = store.create_dataset(tenant, NewDataset(None, sha256, size_bytes, "auto", "csv")).dataset.id
    lost = store.create_dataset(tenant, NewDataset(None, "0" * 64, 1, "auto", "csv")).dataset.id
    for dataset_id, table in ((whole, "1" * 64), (lost, sha256)):
        claim = store.claim_dataset("wrk_1")
        assert claim is not None
        assert claim.id == dataset_id
        assert store.finish_dataset(claim, ParsedTable({}, {}, 1, 1, "table", table, size_bytes))

    found = check_artifacts(migrated_settings)

    assert found["num_checked"] == 4
    assert found["damaged"] == [
        {"id": whole, "name": "table.parquet", "how": "its file is lost"},
        {"id": lost, "name": "upload", "how": "its file is lost"},
    ]


def test_a_folder_that_is_lost_is_every_file_of_it(migrated_settings: Settings, ended: list[str]) -> None:
    shutil.rmtree(migrated_settings.artifacts_dir)

    assert {one["how"] for one in check_artifacts(migrated_settings)["damaged"]} == {"its file is lost"}


def test_a_job_that_is_deleted_meanwhile_misses_nothing(
    migrated_settings: Settings, store: Store, tenant: str, ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(migrated_settings, store, tenant, ended[0])
    verify = ArtifactStore.verify

    def delete_first(files: ArtifactStore, artifact: ArtifactRow) -> Path:
        for job_id in ended:
            if store.list(tenant).data:
                store.delete(tenant, job_id)
        return verify(files, artifact)

    monkeypatch.setattr(ArtifactStore, "verify", delete_first)

    assert check_artifacts(migrated_settings)["damaged"] == []


def test_a_database_of_another_version_is_not_checked(database_settings: Settings) -> None:
    migrate(database_settings, "0004")

    with pytest.raises(UnmigratedDatabaseError):
        check_artifacts(database_settings)


def test_the_command_says_it_as_json(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    migrate(settings)
    monkeypatch.setenv("REGCORE_DATA_DIR", str(settings.data_dir))

    status = main()

    assert (status, json.loads(capsys.readouterr().out)) == (0, {"num_checked": 0, "damaged": []})
    assert not (settings.data_dir / "server-secret").exists()


def test_a_data_directory_without_a_database_is_said_and_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REGCORE_DATA_DIR", str(tmp_path))

    status = main()

    assert status == 1
    assert "There is no database at" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
