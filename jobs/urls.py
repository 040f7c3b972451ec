"""Paths to URLs and back, percent-encoded as in RFC 3986: no character of a folder's name has a meaning in the URL."""

import os
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote_to_bytes, urlencode, urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_SQLITE = "sqlite:///"
_FILE = "file://"


def file_url(path: Path) -> str:
    """Return the `file:` URL of an absolute path."""
    return _FILE + _encode(path)


def sqlite_url(path: Path) -> str:
    """Return the URL of a SQLite database."""
    return _SQLITE + _encode(path)


def file_path(url: str) -> Path:
    """Return the path that a `file:` URL names.

    Raises:
        ValueError: The URL is of another kind, is not absolute, or has parameters.
    """
    if not url.startswith(f"{_FILE}/"):
        raise ValueError("expected file:///path")
    return _decode(url.removeprefix(_FILE))


def sqlite_path(url: str) -> Path | None:
    """Return the absolute path of a SQLite database; None for a URL of another kind.

    Raises:
        ValueError: The URL names no file, or has parameters.
    """
    if not url.startswith(_SQLITE):
        return None
    named = url.removeprefix(_SQLITE)
    if named in ("", ":memory:"):
        raise ValueError("expected sqlite:///path of a file; several processes share it")
    # The process that reads it may have another working directory.
    return _decode(named).absolute()


def engine_url(url: str) -> URL:
    """Return the URL for SQLAlchemy."""
    path = sqlite_path(url)
    return make_url(url) if path is None else URL.create("sqlite", database=str(path))


def broker_url(redis_url: str) -> str:
    """Return the URL of the same Redis for Celery, which writes a socket and its database number differently."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    words = {"db": "virtual_host"}
    query = urlencode([(words.get(name, name), value) for name, value in parse_qsl(parts.query)])
    # Celery reads a bare `;` as a separator of URLs.
    path = quote(unquote_to_bytes(parts.path))
    return f"redis+socket://{parts.netloc}{path}" + (f"?{query}" if query else "")


def check_redis_url(url: str) -> str:
    """Return the URL of a Redis after a check.

    Raises:
        ValueError: The URL is of another kind, or a part of its path or password would be misread.
    """
    try:
        parts = urlsplit(url)
        parse_qsl(parts.query, strict_parsing=bool(parts.query))
        has_place = bool(parts.path) if parts.scheme == "unix" else _has_number(parts)
    except ValueError:
        parts, has_place = urlsplit(""), False
    if parts.scheme not in ("redis", "rediss", "unix") or "#" in url or not has_place:
        raise ValueError(
            "expected redis://host:port/number or unix:///path; in a path or password, write ? as %3F and # as %23"
        )
    return url


def check_postgresql_url(url: str) -> str:
    """Check the URL of a PostgreSQL database, and return it.

    Raises:
        ValueError: It cannot be parsed, for example because its port is not a number.
    """
    try:
        make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError(
            "expected postgresql://user:password@host:port/name; in a password, write @ as %40, / as %2F and : as %3A"
        ) from None
    return url


def _has_number(parts: SplitResult) -> bool:
    """Whether the path is a database number or empty; raises ValueError if the port is not a number."""
    number = parts.path.strip("/")
    return parts.port != 0 and (not number or number.isdecimal())


def check_public_url(url: str) -> str:
    """Check the URL under which users reach the api, and return it.

    Raises:
        ValueError: It is not an `http` or `https` URL of a host, or has parameters or a user name.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # the property parses the port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host or "?" in url or "#" in url or "@" in parts.netloc:
        raise ValueError("expected https://host/path without a user or parameters; paths are put behind it")
    return url


def _encode(path: Path) -> str:
    return quote(os.fsencode(path))


def _decode(text: str) -> Path:
    if "?" in text or "#" in text:
        raise ValueError("expected a path without parameters; in a path, write ? as %3F and # as %23")
    path = os.fsdecode(unquote_to_bytes(text))
    if "\0" in path:
        raise ValueError("expected a path; no path has a NUL in it")
    return Path(path)
