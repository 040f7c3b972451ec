"""Where the server is and with which key: arguments, then the environment, then a local `regcore up`."""

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_DATA_DIR = ".regcore"
KEY_FILE_NAME = "api-key"
URL_FILE_NAME = "url"


@dataclass(frozen=True)
class Connection:
    """A server and the key for it."""

    url: str
    api_key: str | None = field(repr=False)


def data_dir() -> Path:
    """The data directory of the server on this machine: REGCORE_DATA_DIR, else ./.regcore."""
    return Path(os.environ.get("REGCORE_DATA_DIR") or DEFAULT_DATA_DIR).expanduser()  # as the servers do


def find_connection(url: str | None = None, api_key: str | None = None) -> Connection:
    """Resolve URL and key, each on its own: argument, REGCORE_URL / REGCORE_API_KEY, the local files.

    A key may be missing (the server then answers 401), because "nothing runs there" is the better message
    when nothing does.
    """
    found_url = url or os.environ.get("REGCORE_URL") or _read(data_dir() / URL_FILE_NAME) or DEFAULT_URL
    found_key = api_key or os.environ.get("REGCORE_API_KEY") or _read_key_file()
    # The local admin key must not travel to a server that merely happens to be named in REGCORE_URL.
    if found_key is None and is_loopback(found_url):
        found_key = _read(data_dir() / KEY_FILE_NAME)
    return Connection(url=found_url.rstrip("/"), api_key=found_key)


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read_key_file() -> str | None:
    path = os.environ.get("REGCORE_API_KEY_FILE")
    return _read(Path(path)) if path else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
