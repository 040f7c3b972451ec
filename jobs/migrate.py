"""Migrating a database to this version's tables, ``python -m jobs.migrate``: nothing else creates tables."""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from jobs.database import Database
from jobs.errors import StoreUnavailableError
from jobs.folders import make_private
from jobs.outages import LASTING
from jobs.settings import Settings
from jobs.startup import CANNOT_START, begin, reason_of
from jobs.urls import sqlite_path

_LOCK_NUMBER = 0x5265_6743
"""An arbitrary constant: the advisory lock under which migrations of a PostgreSQL database take turns."""


def migrate(settings: Settings, revision: str = "head") -> None:
    """Run the migrations up to a revision. Safe to call from many processes at once: they take turns.

    Raises:
        StoreUnavailableError: The database does not answer.
    """
    with _turn(settings.database_url) as database:
        config = Config()
        config.set_main_option("script_location", str(files("jobs") / "migrations").replace("%", "%%"))
        with database.write() as connection:
            if not database.is_sqlite:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})"))
            config.attributes["connection"] = connection
            command.upgrade(config, revision)


def migrate_embedded(settings: Settings) -> None:
    """Migrate a SQLite database; leave any other to its operator's ``regcore migrate``."""
    if sqlite_path(settings.database_url) is not None:
        migrate(settings)


@contextmanager
def _turn(url: str) -> Iterator[Database]:
    path = sqlite_path(url)
    database = Database(url)
    try:
        if path is None:
            yield database
            return
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)  # SQLite would make it readable to others; what lies beside it gets the same mode
        for suffix in ("", "-wal", "-shm"):
            make_private(path.with_name(path.name + suffix))  # an earlier version relied on the folder's mode
        # Two processes that switch a new SQLite file to WAL at once can fail as locked, timeout or not.
        lock_path = path.with_name(f"{path.name}.migrating")
        lock_path.touch(mode=0o600)
        with lock_path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield database
    finally:
        database.close()


def main() -> int:
    """Migrate the database that the settings name; return the process's exit status."""
    settings = begin()
    try:
        migrate(settings)
    except CANNOT_START as error:
        sys.stderr.write(f"{reason_of(error, settings)}\n")
        return 3 if isinstance(error, StoreUnavailableError) and error.outage not in LASTING else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
