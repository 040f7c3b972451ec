"""How each process of ours starts: it makes its files private and reads its settings; a failure is one line.

Exit codes: 2 for a setting that cannot be used, 1 for anything else (`jobs.migrate`: 3 for a database that may answer
later).
"""

import os
import sys
from typing import NoReturn

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from jobs.errors import JobsError, SettingsError
from jobs.folders import check_folders
from jobs.logs import redact_text
from jobs.settings import Settings, load_settings

CANNOT_START = (JobsError, OSError, SQLAlchemyError, CommandError)
"""Errors at the start that are not bugs of ours."""


def begin() -> Settings:
    """Return the process's settings; all files that it writes from now on are private to its user.

    Exits with a code of its own, and a line for each setting that cannot be used.
    """
    os.umask(0o077)
    try:
        return load_settings()
    except SettingsError as error:
        refuse(error)


def refuse(error: SettingsError) -> NoReturn:
    """End the process with a line for each setting that cannot be used."""
    sys.stderr.write(f"{error}\n")
    sys.exit(error.EXIT_CODE)


def reason_of(error: Exception, settings: Settings) -> str:
    """Return in one line why a start failed.

    An unusable folder causes errors of many kinds; it ends the process like any wrong setting.

    Args:
        error: One of CANNOT_START.
        settings: The process's.
    """
    try:
        if isinstance(error, SettingsError):
            raise error
        check_folders(settings)
    except SettingsError as wrong:
        refuse(wrong)
    if isinstance(error, CommandError):
        return f"The database is of another version of RegCore, probably a newer one ({error}). Run that version."
    if isinstance(error, SQLAlchemyError):
        return f"The database cannot be used ({_one_line(error)}). Restore it, or name another one."
    cause = error.__cause__
    return f"{error} ({_one_line(cause)})" if cause is not None else redact_text(str(error))


def _one_line(error: BaseException) -> str:
    said = error.orig if isinstance(error, DBAPIError) else error
    return redact_text(" ".join(str(said).split()))
