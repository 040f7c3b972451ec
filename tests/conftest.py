"""Real servers for every test that needs one: a Redis and a PostgreSQL of our own, thrown away after."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from postgres_binaries import find_postgres
from proxies import used_proxies
from servers import empty_tables, new_database, run_postgres, run_redis, used_servers
from without_processes import WithoutProcesses

from jobs.migrate import migrate
from jobs.settings import PREFIX, Settings

LEASE_S = 2.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-processes", action="store_true", help="leave out every test that starts a process")


def pytest_configure(config: pytest.Config) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]  # the tests' own requests stay on this machine
    if config.getoption("--no-processes"):
        config.pluginmanager.register(WithoutProcesses())


def pytest_report_header() -> list[str]:
    """Say at the top which servers the tests use."""
    return [f"servers: {used_servers()}", f"proxies: {used_proxies()}"]


@pytest.fixture(autouse=True, scope="session")
def _plain_tracebacks() -> None:
    """Where logging is not set up, structlog draws every variable of a traceback, which takes ten seconds."""
    processors = [structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()]
    structlog.configure(processors=processors)


@pytest.fixture(autouse=True)
def _same_umask_afterwards() -> Iterator[None]:
    """Our programs make their files private; a test that calls one in this process must not change the next one."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


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
def _tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with tables and nothing in them: to make one takes as long as ten tests need."""
    made = Settings(data_dir=tmp_path_factory.mktemp("tables"))
    migrate(made)
    return made.data_dir / "regcore.db"


@pytest.fixture
def with_tables(settings: Settings, _tables: Path) -> Settings:
    """The same settings, of a SQLite database with tables."""
    settings.data_dir.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(_tables, settings.data_dir / _tables.name)
    return settings


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a Redis that all tests of the session share."""
    with run_redis() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL that all tests of the session share, without a database of ours."""
    with run_postgres(find_postgres()) as url:
        yield url


@pytest.fixture(scope="session")
def _postgres_tables(postgres_server: str) -> Iterator[str]:
    """The URL of a PostgreSQL database with tables: to make one takes ten times as long as to empty it."""
    with new_database(postgres_server) as url:
        migrate(Settings(database_url=url))
        yield url


@pytest.fixture
def postgres_url_with_tables(_postgres_tables: str) -> str:
    """The URL of a PostgreSQL database with empty tables: the session's, whose tables no test may change."""
    empty_tables(_postgres_tables)
    return _postgres_tables


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a fresh, empty PostgreSQL database."""
    with new_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """None for SQLite, and the URL of a fresh PostgreSQL database: for a stack that a module's tests share."""
    if request.param == "sqlite":
        yield None
        return
    with new_database(request.getfixturevalue("postgres_server")) as url:
        yield url
