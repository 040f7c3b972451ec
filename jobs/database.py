"""A database, SQLite or PostgreSQL, with the store's two kinds of transaction: read and write."""

import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from jobs.errors import StoreUnavailableError
from jobs.outages import LASTING, Outage, outage_of
from jobs.urls import engine_url

_BUSY_TIMEOUT_S = 10.0
_CONNECT_TIMEOUT_S = 5
PROOF_LASTS_S = 10.0
_LEAST_FREE_BYTES = 1_000_000
# A write of one row that changes nothing.
_PROBE = text("UPDATE alembic_version SET version_num = version_num")
# A process that is stopped inside a transaction keeps its locks, and so blocks its jobs. Our transactions wait only for
# the database, so one that is idle for five seconds belongs to such a process and is ended.
_POSTGRESQL_OPTIONS = "-c lock_timeout=10s -c statement_timeout=30s -c idle_in_transaction_session_timeout=5s"


class Database:
    """Opens transactions. Nothing connects before the first one.

    A write transaction on SQLite is BEGIN IMMEDIATE: with SQLAlchemy's default a SELECT runs before the transaction
    begins, and so a stale run's write was once accepted; a plain BEGIN that is upgraded later fails at once as locked.
    On PostgreSQL the store locks the rows that it decides on by FOR UPDATE, which does nothing on SQLite.
    """

    def __init__(self, url: str) -> None:
        address = engine_url(url)
        self._folder = Path(address.database or "").parent
        self._probing = threading.Lock()
        self._proven_until = 0.0
        self._failed: tuple[Outage, float] | None = None
        self.is_sqlite = address.get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(address) if self.is_sqlite else _postgresql_engine(address)
        if self.is_sqlite:
            self._reader: Engine = self.engine
            self._writer: Engine = self.engine.execution_options(immediate=True)
        else:
            # A job and its log are read by several statements, which must see the same state.
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._writer = self.engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that reads one consistent state and changes nothing."""
        with _available(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits as a whole, or not at all."""
        try:
            with _available(), self._writer.begin() as connection:
                yield connection
        except StoreUnavailableError as error:
            if error.outage in LASTING:
                self._failed = error.outage, time.monotonic()
            raise

    def check_writable(self) -> None:
        """Raise `StoreUnavailableError` unless writes succeed.

        Only a write can tell, so one is tried, at most every ten seconds. A small write may succeed although a larger
        one has just found the disk full: that failure counts for ten seconds.
        """
        if self._failed is not None and time.monotonic() - self._failed[1] < PROOF_LASTS_S:
            raise StoreUnavailableError(self._failed[0])
        if self.is_sqlite and _free_bytes(self._folder) < _LEAST_FREE_BYTES:
            raise StoreUnavailableError(Outage.DISK_FULL)
        # While one thread probes, no other waits for it: waiting threads would be missing for other requests.
        if time.monotonic() < self._proven_until or not self._probing.acquire(blocking=False):
            return
        try:
            with self.write() as connection:
                connection.execute(_PROBE)
            self._proven_until = time.monotonic() + PROOF_LASTS_S
        finally:
            self._probing.release()

    def nobody_writes(self) -> bool:
        """Whether no write transaction is open. Only for SQLite, which has one at a time."""
        with _available(), self.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA busy_timeout = 0")
            try:
                driver.execute("BEGIN IMMEDIATE")
                driver.execute("ROLLBACK")
            except sqlite3.OperationalError:
                return False
            finally:
                driver.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_S * 1000:.0f}")
            return True

    def close(self) -> None:
        """Close the pooled connections."""
        self.engine.dispose()


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise StoreUnavailableError(Outage.OVERLOADED) from error
    except DBAPIError as error:
        outage = outage_of(error)
        if outage is None:
            raise
        raise StoreUnavailableError(outage) from error


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError as error:
        raise StoreUnavailableError(Outage.UNREADABLE) from error


def _dump_json(value: Any) -> str:
    # NaN is not JSON: PostgreSQL refuses it, and SQLite would pass it on to clients.
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        json_serializer=_dump_json,
        connect_args={"timeout": _BUSY_TIMEOUT_S},
        pool_size=16,
        max_overflow=48,
        pool_timeout=_BUSY_TIMEOUT_S,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # The driver must not begin transactions itself; begin() below does.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _postgresql_engine(url: URL) -> Engine:
    return create_engine(
        url,
        json_serializer=_dump_json,
        connect_args={
            "connect_timeout": _CONNECT_TIMEOUT_S,
            "options": _POSTGRESQL_OPTIONS,
            "application_name": "regcore",
        },
        pool_size=8,
        max_overflow=24,
        pool_timeout=_BUSY_TIMEOUT_S,
        pool_pre_ping=True,
    )
