import threading
import time
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from jobs.database import Database
from jobs.errors import StoreUnavailableError
from jobs.outages import Outage
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


def test_a_database_that_takes_writes_is_tried_once_in_a_while_and_not_at_each_question(database: Database) -> None:
    writes = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: writes.append(args[2]))

    for _ in range(5):
        database.check_writable()

    assert len([one for one in writes if one.startswith("UPDATE")]) == 1


def test_a_database_that_takes_no_writes_is_not_writable(database: Database) -> None:
    statement = "PRAGMA query_only = 1" if database.is_sqlite else "SET TRANSACTION READ ONLY"
    event.listen(database.engine, "begin", lambda connection: connection.exec_driver_sql(statement))

    with pytest.raises(StoreUnavailableError) as caught:
        database.check_writable()

    assert caught.value.outage is Outage.READ_ONLY


def test_a_write_that_failed_is_remembered_for_a_while_though_smaller_ones_succeed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.check_writable()

    def fail() -> None:
        with database.write():
            raise OperationalError("INSERT", {}, psycopg.errors.DiskFull())

    with pytest.raises(StoreUnavailableError):
        fail()
    with pytest.raises(StoreUnavailableError) as caught:
        database.check_writable()
    monkeypatch.setattr("jobs.database.PROOF_LASTS_S", 0.0)
    database.check_writable()

    assert caught.value.outage is Outage.DISK_FULL


def test_a_probe_that_hangs_holds_up_no_other(database: Database) -> None:
    hangs, go_on = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        hangs.set()
        go_on.wait(10)

    event.listen(database.engine, "before_cursor_execute", hang, once=True)
    first = threading.Thread(target=database.check_writable)
    first.start()
    hangs.wait(10)

    database.check_writable()
    go_on.set()
    first.join()

    assert not first.is_alive()


def test_a_database_whose_folder_is_gone_is_not_writable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/gone/regcore.db")

    with pytest.raises(StoreUnavailableError) as caught:
        database.check_writable()

    assert caught.value.outage is Outage.UNREADABLE
    database.close()
