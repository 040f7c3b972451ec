"""The database's clock, the one that every process shares: seconds since 1970 in UTC, to the millisecond.

Milliseconds, because the API shows no more: a time that it gave out can come back in a filter and be equal.
"""

from typing import Any

from sqlalchemy import Connection, Double, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from jobs.database import Database


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
    # now() stands still in a transaction; clock_timestamp() does not.
    return "CAST(round(extract(epoch FROM clock_timestamp())::numeric, 3) AS double precision)"


def read_clock(connection: Connection) -> float:
    """Return the database's time."""
    return float(connection.execute(select(now())).scalar_one())


def settled_at(database: Database) -> float:
    """Return a time such that what bears an earlier one is there for whoever looks from now on, and nothing else is.

    A transaction writes the time at which it began, and is seen when it ends: one that is open now may still bring an
    earlier time than this to light, so those are waited for. So is the next millisecond, which nobody has written yet.
    """
    with database.write_alone() as connection:
        before = read_clock(connection)
        while (at := read_clock(connection)) == before:
            pass
        return at
