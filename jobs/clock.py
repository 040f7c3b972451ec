"""The database's clock, which every process shares: seconds since 1970 in UTC, to the millisecond.

Milliseconds, because the API shows no more: a time from an answer, used in a filter, is then equal.
"""

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Double, func, select, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from jobs.database import Database
from jobs.tables import jobs

_PATIENCE_S = 0.1
_TICK_S = 0.001
# The asking transaction is among them. LEAST ignores the NULL that results without track_activities.
_OLDEST_OPEN = text(
    "SELECT CAST(round(extract(epoch FROM least(min(xact_start), now()))::numeric, 3) AS double precision) "
    "FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name = current_setting('application_name')"
)


class now(FunctionElement[float]):
    """The time at which the statement runs, even inside a transaction."""

    type = Double()
    inherit_cache = True


@compiles(now, "sqlite")
def _now_on_sqlite(element: now, compiler: Any, **options: Any) -> str:
    # SQLite 3.40 has no sub-second unixepoch().
    return "round((julianday('now') - 2440587.5) * 86400.0, 3)"


@compiles(now, "postgresql")
def _now_on_postgresql(element: now, compiler: Any, **options: Any) -> str:
    # now() is constant in a transaction; clock_timestamp() is not.
    return "CAST(round(extract(epoch FROM clock_timestamp())::numeric, 3) AS double precision)"


def read_clock(connection: Connection) -> float:
    """Return the database's time."""
    return float(connection.execute(select(now())).scalar_one())


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment, as precise as it can be while other transactions write.

    A transaction writes times that it read after its start, and becomes visible at its end. So rows with a time before
    the moment may still appear after it, but none that is older than the oldest open transaction.

    Attributes:
        settled: Every row with an earlier time is visible from now on.
        at: The moment itself, never before ``settled``.
    """

    settled: float
    at: float


def settle(database: Database) -> Moment:
    """Return the present moment, without blocking anyone.

    Open transactions get a tenth of a second to end, so that what the caller has seen is settled.
    """
    with database.read() as connection:
        asked_at = read_clock(connection)
    give_up_at = time.monotonic() + _PATIENCE_S
    while (settled := _oldest_write(database)) <= asked_at and time.monotonic() < give_up_at:
        time.sleep(_TICK_S)
    return Moment(settled, max(settled, asked_at))


def _oldest_write(database: Database) -> float:
    """Return the earliest time that a transaction can still write, whether it is open now or begins later."""
    with database.read() as connection:
        if not database.is_sqlite:
            return float(connection.execute(_OLDEST_OPEN).scalar_one())
        at = read_clock(connection)
    if database.nobody_writes():
        return at
    with database.read() as connection:
        # The writing transaction began after this time was written.
        return connection.execute(select(func.max(jobs.c.updated_at))).scalar_one() or 0.0
