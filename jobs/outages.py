"""Why a database cannot be used, as far as its driver tells; without paths, because strangers can read the message."""

import sqlite3
from enum import StrEnum

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError


class Outage(StrEnum):
    """What is wrong with the database, and what to do."""

    NO_ANSWER = "The database does not answer. Try again shortly."
    DISK_FULL = (
        "The disk of the database is full, so nothing can be written; what was accepted before is kept. The operator "
        "must free space on it."
    )
    READ_ONLY = (
        "The database can be read but not written: its disk or its files are read-only, or it is a standby. The "
        "operator must make it writable."
    )
    UNREADABLE = (
        "The database's file cannot be opened: it is away, or this server may not read it, or has too many files open. "
        "The operator must look at the folder."
    )
    DISK_FAILS = "The disk of the database fails to read or write. The operator must look at it."
    DAMAGED = "The database is damaged. The operator must restore it from a backup."
    OTHER_TABLES = (
        "The database has not the tables of this version: they were never made, or the file was replaced. The operator "
        "must run `regcore migrate`, or restore it from a backup."
    )
    LOCKED = "Another process has kept the database locked for too long. Try again shortly."
    OVERLOADED = "The database has no connection or memory left for this request. Try again shortly."
    REFUSED = (
        "The database refuses this server: its name, password or rights are not those that the database knows. The "
        "operator must correct REGCORE_DATABASE_URL or the rights."
    )


LASTING = frozenset({Outage.DISK_FULL, Outage.READ_ONLY, Outage.DISK_FAILS, Outage.DAMAGED, Outage.OTHER_TABLES})
"""Outages that do not pass by themselves."""

# https://sqlite.org/rescode.html: the low byte of an extended code is its primary code.
_OF_SQLITE = {
    sqlite3.SQLITE_FULL: Outage.DISK_FULL,
    sqlite3.SQLITE_READONLY: Outage.READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: Outage.UNREADABLE,
    sqlite3.SQLITE_PERM: Outage.UNREADABLE,
    sqlite3.SQLITE_IOERR: Outage.DISK_FAILS,
    sqlite3.SQLITE_CORRUPT: Outage.DAMAGED,
    sqlite3.SQLITE_NOTADB: Outage.DAMAGED,
    sqlite3.SQLITE_BUSY: Outage.LOCKED,
    sqlite3.SQLITE_LOCKED: Outage.LOCKED,
    sqlite3.SQLITE_NOMEM: Outage.OVERLOADED,
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html, from the specific to the general.
_OF_POSTGRESQL = {
    "53100": Outage.DISK_FULL,
    "53": Outage.OVERLOADED,
    "25006": Outage.READ_ONLY,
    "42501": Outage.REFUSED,
    "28": Outage.REFUSED,
    "3D000": Outage.REFUSED,
    "42P01": Outage.OTHER_TABLES,
    "55P03": Outage.LOCKED,
    "40P01": Outage.LOCKED,
    "58": Outage.DISK_FAILS,
    "XX001": Outage.DAMAGED,
    "XX002": Outage.DAMAGED,
}
# While connecting, libpq gives the server's message without its code.
_OF_POSTGRESQL_IN_WORDS = {
    "too many clients": Outage.OVERLOADED,
    "remaining connection slots": Outage.OVERLOADED,
    "too many connections": Outage.OVERLOADED,
    "No space left on device": Outage.DISK_FULL,
    "authentication failed": Outage.REFUSED,
    "no pg_hba.conf entry": Outage.REFUSED,
    '" does not exist': Outage.REFUSED,
    "permission denied": Outage.REFUSED,
}


def outage_of(error: DBAPIError) -> Outage | None:
    """Return what is wrong with the database; None if the statement is wrong, which is a bug of ours."""
    known = _of_sqlite(error.orig) if isinstance(error.orig, sqlite3.Error) else _of_postgresql(error.orig)
    if known is not None:
        return known
    if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
        return None  # the driver calls a wrong statement an operational error
    is_away = isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    return Outage.NO_ANSWER if is_away else None


def _of_sqlite(error: sqlite3.Error) -> Outage | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)  # absent if the error comes from the driver itself
    if code == sqlite3.SQLITE_ERROR and "no such table" in str(error):
        return Outage.OTHER_TABLES
    return None if code is None else _OF_SQLITE.get(code & 0xFF)


def _of_postgresql(error: BaseException | None) -> Outage | None:
    code: str | None = getattr(error, "sqlstate", None)
    if code is not None:
        return next((outage for prefix, outage in _OF_POSTGRESQL.items() if code.startswith(prefix)), None)
    said = str(error)
    return next((outage for words, outage in _OF_POSTGRESQL_IN_WORDS.items() if words in said), None)
