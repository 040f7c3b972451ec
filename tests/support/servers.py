"""The tests' temporary Redis and PostgreSQL."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import redis
from postgres_binaries import (
    PostgresNotFoundError,
    User,
    find_postgres,
    postgres_version,
    server_user,
    within_reach,
)

from regclient.stack.embedded_redis import RedisNotFoundError, find_redis_server, redis_command, redis_version

_START_TIMEOUT_S = 30.0


def used_servers() -> str:
    """Return a line about these servers, such as `Valkey 9.1.2 (…/valkey-server), PostgreSQL 18.6 (…/bin)`."""
    try:
        redis_server = find_redis_server()
        told = [f"{redis_version(redis_server)} ({redis_server})"]
    except RedisNotFoundError as error:
        told = [str(error)]
    try:
        folder = find_postgres()
        told.append(f"{postgres_version(folder)} ({folder})")
    except PostgresNotFoundError as error:
        told.append(str(error))
    return ", ".join(told)


@contextmanager
def run_redis() -> Iterator[str]:
    """Run a Redis on a private socket; yields its URL."""
    # The path of a socket has at most 107 bytes, and pytest's folders can be longer.
    with tempfile.TemporaryDirectory(prefix="regcore-redis-") as folder:
        address = Path(folder) / "redis.sock"
        command = redis_command(find_redis_server(), address, Path(folder))
        with _server(command, Path(folder) / "log", {}) as alive:
            client = redis.Redis(unix_socket_path=str(address))
            with closing(client):
                _wait_until(lambda: _answers(client), alive)
            yield f"unix://{address}"


@contextmanager
def run_postgres(binaries: Path) -> Iterator[str]:
    """Run a PostgreSQL without databases of ours; yields its URL. Durability is off, because tests do not need it.

    Args:
        binaries: The folder of `initdb` and `postgres`.
    """
    with tempfile.TemporaryDirectory(prefix="regcore-postgres-") as name:
        folder, user = Path(name), server_user()
        if user:
            os.chown(folder, user["user"], user["group"])
        programs = within_reach(binaries, folder)
        cluster = f"{folder}/cluster"
        initdb = [str(programs / "initdb"), "-D", cluster, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        initdb += ["--locale=C.UTF-8", "--no-sync"]
        made = subprocess.run(initdb, check=False, capture_output=True, text=True, cwd=folder, **user)
        if made.returncode != 0:
            raise RuntimeError(f"{initdb[0]} ended with {made.returncode}: {made.stdout}{made.stderr}")
        port = free_port()
        options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder}
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        flags = [f"--{option}={value}" for option, value in options.items()]
        command = [str(programs / "postgres"), "-D", cluster, *flags]
        url = f"postgresql://postgres@127.0.0.1:{port}"
        # SIGINT makes PostgreSQL stop at once, without waiting for its clients.
        with _server(command, folder / "log", user, stop=signal.SIGINT) as alive:
            _wait_until(lambda: _accepts(f"{url}/postgres"), alive)
            yield url


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Create an empty database of a PostgreSQL; return its URL."""
    name = f"test_{time.monotonic_ns()}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield f"{server}/{name}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def empty_tables(url: str) -> None:
    """Leave a migrated database of a PostgreSQL as it was made: no connections, no rows, counters at their start."""
    with psycopg.connect(url, autocommit=True) as connection:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        tables = "schemaname = 'public' AND tablename <> 'alembic_version'"
        names = connection.execute(f"SELECT tablename FROM pg_tables WHERE {tables}").fetchall()
        connection.execute(f"TRUNCATE {', '.join(name for (name,) in names)} RESTART IDENTITY CASCADE")


def free_port() -> int:
    """Return a free TCP port of loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _server(
    command: list[str], log: Path, user: User, *, stop: signal.Signals = signal.SIGTERM
) -> Iterator[Callable[[], None]]:
    """Run a server; yields a check that raises an error with the server's log if the server has ended."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=log.parent, **user)

        def check() -> None:
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended: {log.read_text(errors='replace')[-2000:]}")

        try:
            yield check
        finally:
            process.send_signal(stop)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until(condition: Callable[[], bool], alive: Callable[[], None]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not condition():
        alive()
        if time.monotonic() > deadline:
            raise TimeoutError("the server did not answer in time")
        time.sleep(0.02)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _accepts(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
