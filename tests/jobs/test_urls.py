"""Folders with every letter that means something in a URL, to a shell, to a database's driver or to a template."""

import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pytest
import redis

from jobs.database import Database
from jobs.live import Notifier
from jobs.migrate import migrate
from jobs.queue import QUEUE_NAME, make_publisher, publish
from jobs.settings import Settings
from jobs.urls import broker_url, file_path, file_url, sqlite_path, sqlite_url
from regclient.stack.embedded_redis import find_redis_server, redis_command

NAMES = [
    "issue #12",
    "what?",
    "run%20a",
    "100%",
    "a;b",
    "a&b=c",
    "C#",
    "[x]",
    "~",
    "-data",
    ":memory:",
    "a:b@c",
    "1+1",
    "trailing ",
    "é 日本",
    "two\nlines",
    'it\'s "so"',
    "back\\slash",
    "$HOME {x}",
]


def files_of(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@contextmanager
def redis_on(socket_path: Path) -> Iterator[None]:
    command = redis_command(find_redis_server(), socket_path, socket_path.parent)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 20
            while not socket_path.exists():
                assert server.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield
        finally:
            server.terminate()


@pytest.mark.parametrize("name", NAMES)
def test_the_database_of_a_data_directory_is_in_it_whatever_its_name(name: str, tmp_path: Path) -> None:
    data_dir = tmp_path / name
    settings = Settings(data_dir=data_dir)

    migrate(settings)

    assert files_of(tmp_path) == {data_dir / "regcore.db", data_dir / "regcore.db.migrating"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in [data_dir, *files_of(data_dir)])
    with closing(sqlite3.connect(data_dir / "regcore.db")) as database:
        assert database.execute("SELECT count(*) FROM jobs").fetchone() == (0,)


@pytest.mark.parametrize("name", NAMES)
def test_the_artifacts_of_a_data_directory_are_in_it_whatever_its_name(name: str, tmp_path: Path) -> None:
    data_dir = tmp_path / name

    settings = Settings(data_dir=data_dir)

    assert settings.artifacts_dir == data_dir / "artifacts"
    assert unquote(urlsplit(settings.artifacts_url).path) == str(data_dir / "artifacts")
    assert Settings(artifacts_url=settings.artifacts_url).artifacts_dir == data_dir / "artifacts"


@pytest.mark.parametrize("name", NAMES)
def test_two_folders_never_share_a_database(name: str, tmp_path: Path) -> None:
    urls = {Settings(data_dir=tmp_path / other).database_url for other in (name, quote(name), unquote(name), name[:2])}

    assert len({sqlite_path(url) for url in urls}) == len({name, quote(name), unquote(name), name[:2]})


@pytest.mark.parametrize("name", NAMES)
def test_messages_and_wake_ups_reach_the_redis_in_the_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    settings = Settings(redis_url=f"unix://{quote(str(folder))}/redis.sock")

    with redis_on(folder / "redis.sock"), closing(redis.Redis(unix_socket_path=str(folder / "redis.sock"))) as there:
        publisher = make_publisher(settings)
        sent = publish(publisher, "job_1")
        publisher.close()
        notifier = Notifier(settings)
        notified = notifier.notify("job_1")
        notifier.close()
        num_messages = there.llen(QUEUE_NAME)

    assert (sent, notified, num_messages) == (True, True, 1)


def test_messages_go_to_the_database_of_redis_that_a_sockets_url_names(tmp_path: Path) -> None:
    socket_path = tmp_path / "redis.sock"
    settings = Settings(redis_url=f"unix://{socket_path}?db=3")

    with redis_on(socket_path):
        publisher = make_publisher(settings)
        publish(publisher, "job_1")
        publisher.close()
        lengths = {}
        for number in (0, 3):
            with closing(redis.Redis(unix_socket_path=str(socket_path), db=number)) as client:
                lengths[number] = client.llen(QUEUE_NAME)

    assert lengths == {0: 0, 3: 1}


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////srv/a%20b/x.db", "/srv/a b/x.db"),
        ("sqlite:////srv/a b/x.db", "/srv/a b/x.db"),
        ("sqlite:////srv/issue%20%2312/x.db", "/srv/issue #12/x.db"),
        ("sqlite:////srv/%253F/x.db", "/srv/%3F/x.db"),
        ("sqlite:////srv/日本/x.db", "/srv/日本/x.db"),
    ],
)
def test_a_users_url_is_read_as_urls_are(url: str, path: str) -> None:
    assert sqlite_path(Settings(database_url=url).database_url) == Path(path)
    assert file_path(Settings(artifacts_url=url.replace("sqlite:///", "file://")).artifacts_url) == Path(path)


def test_a_relative_database_is_that_of_the_first_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(database_url="sqlite:///what%3F.db")
    monkeypatch.chdir("/")

    migrate(settings)

    assert (tmp_path / "what?.db").exists()


@pytest.mark.parametrize("field", ["database_url", "artifacts_url", "redis_url"])
@pytest.mark.parametrize("path", ["/srv/issue #12/x", "/srv/what?/x"])
def test_a_bare_letter_that_would_cut_a_url_off_is_refused_with_how_to_write_it(field: str, path: str) -> None:
    scheme = {"database_url": "sqlite:///", "artifacts_url": "file://", "redis_url": "unix://"}[field]

    with pytest.raises(ValueError, match=r"write \? as %3F and # as %23"):
        Settings(**{field: scheme + path})


@pytest.mark.parametrize(
    "wrong", ["sqlite:///", "sqlite:///:memory:", "sqlite:////a%00b", "file://relative", "unix://", "http://h/0"]
)
def test_a_url_that_names_nothing_is_refused(wrong: str) -> None:
    field = {"sqlite": "database_url", "file": "artifacts_url"}.get(wrong.partition(":")[0], "redis_url")

    with pytest.raises(ValueError, match="expected"):
        Settings(**{field: wrong})


def test_a_password_of_postgresql_is_read_as_urls_are() -> None:
    database = Database(Settings(database_url="postgresql://me:p%40ss%2F%23%3F%25@db.example/na%20me").database_url)

    assert database.engine.url.password == "p@ss/#?%"
    assert database.engine.url.database == "na me"
    database.close()


@pytest.mark.parametrize("url", ["redis://:p@host:6380/2", "rediss://host/0"])
def test_a_redis_behind_a_port_has_one_name(url: str) -> None:
    assert broker_url(url) == url


def test_a_name_that_is_no_text_comes_back_as_it_is() -> None:
    path = Path("/srv/\udcff#")  # a byte that is no UTF-8, as Python shows it

    assert file_path(file_url(path)) == path
    assert sqlite_path(sqlite_url(path)) == path
