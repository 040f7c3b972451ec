import threading
import time

import pytest
from sqlalchemy import text

from jobs.database import Database
from jobs.errors import StoreUnavailableError
from jobs.settings import Settings


def test_a_write_that_raises_changes_nothing(database: Database) -> None:
    insert = text("INSERT INTO runs (worker_id, started_at, heartbeat_at, lease_until) VALUES ('w', 1, 1, 1)")

    def fail_halfway() -> None:
        with database.write() as connection:
            connection.execute(insert)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()

    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM runs")).scalar_one() == 0


def test_a_read_sees_one_moment(database: Database) -> None:
    insert = text("INSERT INTO runs (worker_id, started_at, heartbeat_at, lease_until) VALUES ('w', 1, 1, 1)")
    count = text("SELECT count(*) FROM runs")

    with database.read() as reader:
        before = reader.execute(count).scalar_one()
        with database.write() as writer:
            writer.execute(insert)
        during = reader.execute(count).scalar_one()

    with database.read() as reader:
        assert (before, during, reader.execute(count).scalar_one()) == (0, 0, 1)


def test_writers_on_sqlite_take_turns_and_do_not_fail_as_locked(settings: Settings) -> None:
    settings.data_dir.mkdir(parents=True)
    database = Database(settings.database_url)
    with database.write() as connection:
        connection.execute(text("CREATE TABLE counter (n INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))

    def increment() -> None:
        for _ in range(20):
            with database.write() as connection:
                n = connection.execute(text("SELECT n FROM counter")).scalar_one()
                connection.execute(text("UPDATE counter SET n = :n"), {"n": n + 1})

    threads = [threading.Thread(target=increment) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.read() as connection:
        assert connection.execute(text("SELECT n FROM counter")).scalar_one() == 80
    database.close()


def test_sqlite_is_in_wal_mode_with_foreign_keys(settings: Settings) -> None:
    settings.data_dir.mkdir(parents=True)
    database = Database(settings.database_url)
    with database.read() as connection:
        values = [
            connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "foreign_keys", "synchronous")
        ]
    database.close()

    assert values == ["wal", 1, 2]


@pytest.mark.parametrize("url", ["postgresql+psycopg://nobody@127.0.0.1:1/none", "sqlite:////nowhere/at/all.db"])
def test_a_database_that_is_away_is_unavailable(url: str) -> None:
    database = Database(url)

    began = time.monotonic()
    with pytest.raises(StoreUnavailableError), database.read():
        pytest.fail("a transaction began")

    assert time.monotonic() - began < 10
    database.close()


def test_a_connection_that_was_cut_is_unavailable_and_the_next_one_works(postgres_url: str) -> None:
    database = Database(Settings(database_url=postgres_url).database_url)
    terminate = text("SELECT pg_terminate_backend(:pid)")

    def lose_the_connection() -> None:
        with database.write() as connection:
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            with database.write() as other:
                other.execute(terminate, {"pid": pid})
            connection.execute(text("SELECT 1"))

    with pytest.raises(StoreUnavailableError):
        lose_the_connection()

    with database.read() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    database.close()
