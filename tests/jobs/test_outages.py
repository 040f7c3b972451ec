"""What real databases say when something is wrong with them, and what the store makes of it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError

from jobs.database import Database
from jobs.errors import StoreUnavailableError
from jobs.outages import Outage
from jobs.settings import Settings

INSERT = "INSERT INTO rows VALUES (randomblob(100000))"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A SQLite database with a table."""
    path = tmp_path / "small.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE rows (content BLOB)")
    return path


def outage_of(url: str, *statements: str) -> Outage:
    """What the store says of a write."""
    database = Database(Settings(database_url=url).database_url)

    def write() -> None:
        with database.write() as connection:
            for statement in statements:
                connection.execute(text(statement))

    try:
        with pytest.raises(StoreUnavailableError) as caught:
            write()
    finally:
        database.close()
    assert str(caught.value) == caught.value.outage.value
    return caught.value.outage


@pytest.mark.parametrize(
    ("statements", "outage"),
    [
        (["PRAGMA max_page_count = 3", INSERT], Outage.DISK_FULL),
        (["PRAGMA query_only = 1", INSERT], Outage.READ_ONLY),
    ],
)
def test_of_sqlite_what_a_write_meets(path: Path, statements: list[str], outage: Outage) -> None:
    assert outage_of(f"sqlite:///{path}", *statements) is outage


def damage(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)


def damage_a_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)


def replace_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "outage"),
    [
        (damage, Outage.DAMAGED),
        (damage_a_page, Outage.DAMAGED),
        (replace_by_a_folder, Outage.UNREADABLE),
    ],
)
def test_of_sqlite_what_the_file_has_become(path: Path, spoil: Callable[[Path], None], outage: Outage) -> None:
    spoil(path)

    assert outage_of(f"sqlite:///{path}", INSERT) is outage


def test_of_sqlite_a_lock_that_another_holds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.database._BUSY_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(path)) as holder:
        holder.execute("PRAGMA journal_mode=WAL")
        holder.execute("BEGIN IMMEDIATE")

        assert outage_of(f"sqlite:///{path}", INSERT) is Outage.LOCKED


@pytest.fixture
def admin(postgres_url: str) -> Iterator[psycopg.Connection]:
    """An administrator of the PostgreSQL, where there is a table and a role that may do nothing with it."""
    server = postgres_url.rsplit("/", 1)[0]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE rows (n int)")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN")
        yield connection
        connection.execute("DROP ROLE guest")


def raising(code: str) -> list[str]:
    return [f"DO $$ BEGIN RAISE EXCEPTION 'something' USING ERRCODE = '{code}'; END $$"]


@pytest.mark.parametrize(
    ("statements", "outage"),
    [
        (raising("53100"), Outage.DISK_FULL),
        (raising("53200"), Outage.OVERLOADED),
        (raising("58030"), Outage.DISK_FAILS),
        (raising("XX001"), Outage.DAMAGED),
        (raising("57P01"), Outage.NO_ANSWER),
        (["SET TRANSACTION READ ONLY", "INSERT INTO rows VALUES (1)"], Outage.READ_ONLY),
        (["SET LOCAL statement_timeout = 1", "SELECT pg_sleep(5)"], Outage.NO_ANSWER),
    ],
)
def test_of_postgresql_what_a_write_meets(
    postgres_url: str, admin: psycopg.Connection, statements: list[str], outage: Outage
) -> None:
    assert outage_of(postgres_url, *statements) is outage


def test_of_postgresql_why_it_lets_nobody_in(postgres_url: str, admin: psycopg.Connection) -> None:
    name = postgres_url.rsplit("/", 1)[1]
    as_guest = postgres_url.replace("postgres@", "guest@")
    found = {
        "unknown name": outage_of(postgres_url.replace("postgres@", "nobody@")),
        "unknown database": outage_of(postgres_url + "_not"),
        "no rights": outage_of(as_guest, "INSERT INTO rows VALUES (1)"),
    }
    admin.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    found["no connection left"] = outage_of(as_guest)

    assert found == {
        "unknown name": Outage.REFUSED,
        "unknown database": Outage.REFUSED,
        "no rights": Outage.REFUSED,
        "no connection left": Outage.OVERLOADED,
    }


def test_tables_that_are_not_there_are_no_silence_of_the_database(path: Path, postgres_url: str) -> None:
    urls = (f"sqlite:///{path}", postgres_url)

    found = [outage_of(url, "SELECT * FROM missing") for url in urls]

    assert found == [Outage.OTHER_TABLES] * 2


@pytest.mark.parametrize("statement", ["SELEC 1", "SELECT nothing FROM pg_class"])
def test_a_wrong_statement_is_a_fault_of_ours_and_no_outage(postgres_url: str, statement: str) -> None:
    database = Database(Settings(database_url=postgres_url).database_url)

    with pytest.raises(ProgrammingError), database.write() as connection:
        connection.execute(text(statement))

    database.close()


def test_a_wrong_statement_is_one_on_sqlite_too(path: Path) -> None:
    database = Database(Settings(database_url=f"sqlite:///{path}").database_url)

    with pytest.raises(OperationalError), database.write() as connection:
        connection.execute(text("SELEC 1"))

    database.close()


@pytest.mark.parametrize("outage", Outage)
def test_what_is_said_names_no_path_and_ends_with_what_to_do(outage: Outage) -> None:
    assert "/" not in outage
    assert outage.endswith(("Try again shortly.", "on it.", "writable.", "at it.", "backup.", "rights.", "folder."))
