"""The checks of `regcore doctor`: of this machine first, then of the server."""

import importlib.metadata
import json
import os
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from regclient.client import Client
from regclient.errors import NotAllowedError, RegClientError, ServerUnreachableError, UsageError
from regclient.stack.embedded_redis import RedisNotFoundError, find_redis_server, redis_version
from regclient.stack.server_settings import (
    NoServersError,
    WrongSettingError,
    no_redis,
    read_server_settings,
    server_command,
)
from regcore.kinds import PluginError, plugins

_PROBE_TORCH = "import torch; print(torch.__version__, torch.cuda.device_count() if torch.cuda.is_available() else 0)"


@dataclass
class Finding:
    """The result of one check: `ok`, `warning` (works, with a limit) or `problem` (must be fixed)."""

    name: str
    status: Literal["ok", "warning", "problem"]
    message: str


def examine(*, artifacts: bool = False) -> list[Finding]:
    """Run every check; none of them changes anything.

    Args:
        artifacts: Also read every artifact in full; needs the server's data directory.
    """
    return [_python(), _torch(), *_plugins(), *_settings(), *_server(), *(_artifacts() if artifacts else [])]


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    try:
        package = importlib.metadata.version("regcore")
    except importlib.metadata.PackageNotFoundError:
        package = "not installed (run from the source tree)"
    return Finding("python", "ok", f"Python {version}, regcore {package}")


def _torch() -> Finding:
    # In another process, because the client never imports torch.
    command = [sys.executable, "-c", _PROBE_TORCH]
    probe = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if probe.returncode != 0:
        return Finding(
            "torch",
            "warning",
            "torch cannot be imported: this machine can be an api or a client, not a worker",
        )
    version, num_gpus = probe.stdout.split()
    return Finding("torch", "ok", f"torch {version}, {num_gpus} GPU" + ("s" if num_gpus != "1" else ""))


def _plugins() -> list[Finding]:
    """The packages that offer kinds here; nothing is said if there is none."""
    try:
        names = plugins()
    except PluginError as error:
        return [Finding("plugins", "problem", str(error))]
    return [Finding("plugins", "ok", ", ".join(names))] if names else []


def _settings() -> list[Finding]:
    """Check the servers' settings. One that cannot be used is a problem; a variable that nothing reads is a warning."""
    try:
        found = read_server_settings(os.environ)
    except WrongSettingError as error:
        return [Finding("settings", "problem", line) for line in str(error).splitlines()]
    except NoServersError as error:
        return [Finding("settings", "warning", f"{error} A client needs none.")]
    notes = [Finding("settings", "warning", note) for note in found["notes"]]
    return [
        *(notes or [Finding("settings", "ok", "each can be used")]),
        _named_redis(found["redis_fault"]) if found["has_redis_url"] else _own_redis(),
        _data_dir(Path(found["data_dir"])),
    ]


def _named_redis(fault: str | None) -> Finding:
    if fault is not None:
        return Finding("redis", "problem", no_redis(fault))
    return Finding("redis", "ok", "that of REGCORE_REDIS_URL answers")


def _own_redis() -> Finding:
    try:
        binary = find_redis_server()
        return Finding("redis", "ok", f"{redis_version(binary)}, {binary}")
    except RedisNotFoundError as error:
        return Finding("redis", "problem", str(error))


def _data_dir(path: Path) -> Finding:
    if not path.exists():
        return Finding("data dir", "ok", f"{path} (will be made)")
    mode = path.stat().st_mode
    if mode & 0o002 and not mode & stat.S_ISVTX:
        return Finding("data dir", "warning", f"{path}: every user may replace what is in it. Run `chmod o-w` on it.")
    return Finding("data dir", "ok", str(path))


def _server() -> list[Finding]:
    try:
        client = Client(max_retries=0)
    except UsageError as error:
        return [Finding("server", "problem", str(error))]
    with client:
        try:
            workers = client.workers()
        except ServerUnreachableError as error:
            return [Finding("server", "warning", str(error))]
        except NotAllowedError as error:
            return [Finding("server", "problem", f"{client.url} refuses the key: {error}")]
        except RegClientError as error:
            return [Finding("server", "problem", f"{client.url}: {error}")]
    ready = [worker for worker in workers if worker["state"] == "ready"]
    server = Finding("server", "ok", client.url)
    if not ready:
        return [
            server,
            Finding("workers", "warning", "none is ready: jobs wait. Start one with `regcore worker`."),
        ]
    return [server, Finding("workers", "ok", f"{len(ready)} ready"), *_lacking(ready)]


def _lacking(ready: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Workers without a plugin that this machine has: a job that needs it waits for another one."""
    try:
        names = plugins()
    except PluginError:  # told already, by the check of this machine
        return []
    found = []
    for name in names:
        ids = [worker["id"] for worker in ready if name not in worker["versions"]]
        if ids:
            message = f"{name} is here and not on {', '.join(ids)}. Install it there, and restart the worker."
            found.append(Finding("plugins", "warning", message))
    return found


def _artifacts() -> list[Finding]:
    command = server_command("jobs.check_artifacts")
    check = subprocess.run(command, capture_output=True, text=True, check=False)
    if check.returncode != 0:
        last = (check.stderr.strip() or "the check died").splitlines()[-1]
        return [Finding("artifacts", "problem", f"They cannot be checked: {last}")]
    found = json.loads(check.stdout)
    damaged = [
        Finding("artifacts", "problem", f"{one['id']} {one['name']} is damaged: {one['how']}")
        for one in found["damaged"]
    ]
    return damaged or [Finding("artifacts", "ok", f"{found['num_checked']:,} are whole")]
