"""``python -m jobs.check_settings``: reads the settings like every server, for `regcore up` and `regcore doctor`.

It writes one JSON object to stdout, `SettingsReport`, or a line to stderr for each setting that cannot be used, and
changes nothing.
"""

import json
import os
import sys
from typing import TypedDict

import redis

from jobs.errors import SettingsError
from jobs.folders import check_folders
from jobs.keys import key_path
from jobs.logs import redact_text
from jobs.settings import SECRETS, VARIABLES, Settings, file_variables, load_settings
from jobs.variables import own_variables, unknown_variables

_REDIS_TIMEOUT_S = 2.0


class SettingsReport(TypedDict):
    """What the parent process of the servers needs to know."""

    host: str
    port: int
    data_dir: str
    key_path: str
    """The file of the first key, whether it is there or the api will make it."""
    slots: str
    drain_grace_s: float
    has_redis_url: bool
    redis_fault: str | None
    """What came instead of an answer of the Redis that the settings name; None if it answers, or none is named."""
    notes: list[str]
    """A sentence for each variable that nothing reads."""


def check_settings() -> SettingsReport:
    """Read the settings from the environment.

    Raises:
        SettingsError: A line for each setting that cannot be used.
    """
    settings = load_settings()
    check_folders(settings)
    has_redis_url = "redis_url" in settings.model_fields_set
    return SettingsReport(
        host=settings.host,
        port=settings.port,
        data_dir=str(settings.data_dir),
        key_path=str(settings.bootstrap_key_file or key_path(settings)),
        slots=str(settings.slots),
        drain_grace_s=settings.drain_grace_s,
        has_redis_url=has_redis_url,
        redis_fault=_redis_fault(settings) if has_redis_url else None,
        notes=_notes(),
    )


def _redis_fault(settings: Settings) -> str | None:
    timeouts = {"socket_timeout": _REDIS_TIMEOUT_S, "socket_connect_timeout": _REDIS_TIMEOUT_S}
    try:
        with redis.Redis.from_url(settings.redis_url, **timeouts) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        return redact_text(str(error))
    return None


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
