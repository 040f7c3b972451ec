"""``python -m jobs.check_settings``: reads the settings like every server, for `regcore up` and `regcore doctor`.

It writes one JSON object to stdout, `SettingsReport`, or a line to stderr for each setting that cannot be used, and
changes nothing.
"""

import json
import os
import sys
from typing import TypedDict

from jobs.errors import SettingsError
from jobs.folders import check_folders
from jobs.settings import SECRETS, VARIABLES, file_variables, load_settings
from jobs.variables import own_variables, unknown_variables


class SettingsReport(TypedDict):
    """What the parent process of the servers needs to know."""

    host: str
    port: int
    data_dir: str
    slots: str
    drain_grace_s: float
    has_redis_url: bool
    notes: list[str]
    """A sentence for each variable that nothing reads."""


def check_settings() -> SettingsReport:
    """Read the settings from the environment.

    Raises:
        SettingsError: A line for each setting that cannot be used.
    """
    settings = load_settings()
    check_folders(settings)
    return SettingsReport(
        host=settings.host,
        port=settings.port,
        data_dir=str(settings.data_dir),
        slots=str(settings.slots),
        drain_grace_s=settings.drain_grace_s,
        has_redis_url="redis_url" in settings.model_fields_set,
        notes=_notes(),
    )


def _notes() -> list[str]:
    variables = own_variables(os.environ)
    files = file_variables(variables)
    twice = [
        f"{VARIABLES[name]} and {variable} are both set; the file is not read. Unset one of them."
        for name, variable in files.items()
        if VARIABLES[name] in variables
    ]
    return twice + unknown_variables(
        os.environ, {*VARIABLES.values(), *(f"{VARIABLES[name]}_FILE" for name in SECRETS)}
    )


def main() -> int:
    """Write the result; return the process's exit status."""
    try:
        sys.stdout.write(json.dumps(check_settings()) + "\n")
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return SettingsError.EXIT_CODE
    return 0


if __name__ == "__main__":
    sys.exit(main())
