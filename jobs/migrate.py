"""Bringing a database to this version's tables, ``python -m jobs.migrate``: the only maker of tables."""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.engine import make_url

from jobs.database import Database
from jobs.errors import StoreUnavailableError
from jobs.settings import Settings

_LOCK_NUMBER = 0x5265_6743
"""Any constant: the advisory lock that migrations of one PostgreSQL database take turns by."""


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
    if make_url(settings.database_url).get_backend_name() == "sqlite":
        migrate(settings)


@contextmanager
def _turn(url: str) -> Iterator[Database]:
    path = make_url(url).database
    database = Database(url)
    try:
        if not database.is_sqlite or path is None:
            yield database
            return
        # Two processes that switch a new SQLite file to WAL at once can fail as locked, timeout or not.
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with Path(f"{path}.migrating").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield database
    finally:
        database.close()


def main() -> int:
    """Migrate the database that the settings name; return the process's exit status."""
    settings = Settings()
    try:
        migrate(settings)
    except StoreUnavailableError as error:
        sys.stderr.write(f"{error} ({error.__cause__})\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
