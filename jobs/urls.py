"""Paths to URLs and back, percent-encoded as in RFC 3986: no character of a folder's name has a meaning in the URL."""

import os
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode, urlsplit

from sqlalchemy.engine import URL, make_url

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
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("redis", "rediss", "unix") or "#" in url or (parts.scheme == "unix" and not parts.path):
        raise ValueError(
            "expected redis://host:port/number or unix:///path; in a path or password, write ? as %3F and # as %23"
        )
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
