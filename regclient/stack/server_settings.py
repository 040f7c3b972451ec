"""The servers' settings. The servers' own code reads them, in another process, so that there is one parser."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regclient.errors import RegClientError

_STOP_MARGIN_S = 5.0


class WrongSettingError(RegClientError):
    """A setting of the servers cannot be used; the exit code is 2, as for other usage errors."""


class NoServersError(RegClientError):
    """The servers' packages are not installed here."""


def server_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of the servers.

    -P keeps the working directory off the path: a user's folder `jobs` or file `api.py` would be run instead.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def with_options(**options: object) -> dict[str, str]:
    """Return the environment with settings from options added; an option that is None was not given."""
    given = {f"REGCORE_{name.upper()}": str(value) for name, value in options.items() if value is not None}
    return {**os.environ, **given}


def read_server_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what `python -m jobs.check_settings` finds in an environment.

    Raises:
        WrongSettingError: A line for each setting that cannot be used.
        NoServersError: The servers' packages are missing.
    """
    command = server_command("jobs.check_settings")
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode == 0:
        found: dict[str, Any] = json.loads(done.stdout)
        return found
    if done.returncode == 2:
        raise WrongSettingError(done.stderr.strip())
    last = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
    raise NoServersError(
        f"The servers cannot be run with {sys.executable} ({last}). "
        "Install them there: `pip install '/path/to/the/clone[all]'`."
    )


def no_redis(fault: str) -> str:
    """What a Redis of the settings means that does not answer."""
    return f"REGCORE_REDIS_URL: no Redis answers there ({fault.rstrip('.')}). Jobs wait until one does."


@dataclass(frozen=True)
class StackOptions:
    """The options of `regcore up`.

    Attributes:
        host: The address that the api listens on.
        port: Its TCP port.
        data_dir: Database, artifacts, keys and logs; made if absent.
        slots: Jobs at a time: a number, or `auto` (one per GPU, else one).
        has_redis_url: Whether the settings name a Redis; then none is started.
        key_path: The file of the first key; by default the one that the api makes in the data directory.
        is_temporary: Whether the data directory belongs to this stack alone: it is emptied at the start, of files that
            a killed stack left there, and removed at the end.
        stop_grace_s: How long the worker may take to return its jobs to the queue before it is killed; by default a
            little more than it allows its runs.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    data_dir: Path = field(default_factory=lambda: Path(".regcore"))
    slots: str = "auto"
    has_redis_url: bool = False
    key_path: Path | None = None
    is_temporary: bool = False
    stop_grace_s: float = 20.0 + _STOP_MARGIN_S

    @property
    def url(self) -> str:
        """The api's URL on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def stack_options(found: Mapping[str, Any]) -> StackOptions:
    """Return the options that correspond to settings."""
    return StackOptions(
        host=found["host"],
        port=found["port"],
        data_dir=Path(found["data_dir"]),
        slots=found["slots"],
        has_redis_url=found["has_redis_url"],
        key_path=Path(found["key_path"]),
        stop_grace_s=found["drain_grace_s"] + _STOP_MARGIN_S,
    )
