"""Starts that cannot be: each server as a process, so that a traceback would be seen."""

import json
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.database import Database
from jobs.migrate import migrate
from jobs.settings import Settings


def start(module: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a server to its end, which comes at once."""
    environment = {**os.environ, **{f"REGCORE_{name.upper()}": value for name, value in variables.items()}}
    command = [sys.executable, "-m", module]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The one line about it; servers log theirs as JSON, behind what the migrations say."""
    (line,) = [line for line in done.stderr.splitlines() if '"level": "info"' not in line]
    return str(json.loads(line)["reason"]) if line.startswith("{") else line


@pytest.mark.parametrize("module", ["api", "worker", "jobs.migrate", "jobs.check_artifacts"])
def test_a_wrong_setting_is_one_line_and_2(module: str, tmp_path: Path) -> None:
    done = start(module, data_dir=str(tmp_path), lease_s="abc")

    assert done.stderr == "REGCORE_LEASE_S: expected a number from 0.5 to 31,536,000; received 'abc'.\n"
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["api", "worker"])
def test_a_data_directory_that_is_a_file_is_one_line_and_2(module: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    done = start(module, data_dir=str(file))

    assert done.returncode == 2
    assert said(done).startswith("REGCORE_DATA_DIR or --data-dir: expected a folder that can be written to; received")


@pytest.mark.parametrize("module", ["worker", "jobs.migrate"])
def test_a_database_that_is_none_is_one_line(module: str, tmp_path: Path) -> None:
    (tmp_path / "regcore.db").write_text("not a database, and long enough to be seen as none" * 20)

    done = start(module, data_dir=str(tmp_path))

    assert done.returncode == 1
    reason = "The database is damaged. The operator must restore it from a backup. (file is not a database)"
    assert said(done) == reason


@pytest.mark.parametrize("module", ["api", "jobs.migrate"])
def test_a_database_of_a_newer_version_is_one_line(module: str, with_tables: Settings) -> None:
    with sqlite3.connect(with_tables.data_dir / "regcore.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()

    done = start(module, data_dir=str(with_tables.data_dir))

    assert done.returncode == 1
    assert "of another version of RegCore" in said(done)
    assert "9999" in said(done)


def test_a_bootstrap_key_that_is_not_there_is_one_line_with_its_variable(tmp_path: Path) -> None:
    done = start("api", data_dir=str(tmp_path), bootstrap_key_file="/nothing/at/all")

    assert done.returncode == 2
    assert said(done).startswith("REGCORE_BOOTSTRAP_KEY_FILE: expected '/nothing/at/all' to be a file")


def test_the_port_of_a_kubernetes_service_is_none_of_ours(tmp_path: Path) -> None:
    done = start("jobs.migrate", data_dir=str(tmp_path), port="tcp://10.96.0.12:8000")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_files_are_the_owners_alone_and_a_folder_that_was_there_keeps_its_mode(umask: int, tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    made = tmp_path / "made"
    before = os.umask(umask)
    try:
        done = [start("jobs.migrate", data_dir=str(folder)) for folder in (tmp_path, made)]
    finally:
        os.umask(before)

    assert [one.returncode for one in done] == [0, 0]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o1777
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_database_that_others_could_read_is_closed_with_what_sqlite_keeps_beside_it(settings: Settings) -> None:
    migrate(settings)
    path = settings.data_dir / "regcore.db"
    reader = Database(settings.database_url)  # as long as one is open, SQLite keeps the files beside it
    with reader.read():
        for name in ("", "-wal", "-shm"):
            path.with_name(path.name + name).chmod(0o644)

        migrate(settings)

        modes = {name.name: stat.S_IMODE(name.stat().st_mode) for name in settings.data_dir.glob("regcore.db*")}
    reader.close()
    assert len(modes) >= 3
    assert set(modes.values()) == {0o600}
