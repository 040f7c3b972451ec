"""The api container's health check: 0 if the process answers on its port."""

import http.client
import sys
from contextlib import closing

from jobs.errors import SettingsError
from jobs.settings import load_settings

_TIMEOUT_S = 2


def main() -> int:
    """Ask the process directly; unlike `urllib`, `http.client` uses no proxy that the environment names."""
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.exit(str(error))  # to stderr, with status 1: what `docker inspect` shows
    with closing(http.client.HTTPConnection("127.0.0.1", settings.port, timeout=_TIMEOUT_S)) as connection:
        try:
            connection.request("GET", "/healthz")
            return int(connection.getresponse().status != http.client.OK)
        except (OSError, http.client.HTTPException):
            return 1


if __name__ == "__main__":
    sys.exit(main())
