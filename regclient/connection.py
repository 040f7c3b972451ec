"""Where the server is and with which key: arguments, then the environment, then a local `regcore up`.

All of it is checked here, where it comes in: no message, and nothing that is raised later, shows a key.
"""

import ipaddress
import os
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlsplit

import httpx2

from regclient.errors import UsageError

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_DATA_DIR = ".regcore"
KEY_FILE_NAME = "api-key"
URL_FILE_NAME = "url"

_MAX_FILE_BYTES = 10_000
_VISIBLE_ASCII = re.compile(r"[!-~]+")
_QUOTES = "\"'`"


@dataclass(frozen=True, slots=True)  # slots: `vars` shows no key
class Connection:
    """A server and the key for it.

    Attributes:
        is_local: Whether it runs on this machine; it is then never reached through a proxy.
    """

    url: str
    api_key: str | None = field(repr=False)
    is_local: bool = field(init=False)
    of_local_files: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_local", self.of_local_files or is_loopback(self.url))


class _Given(NamedTuple):
    """A text, and where it comes from."""

    text: Any
    source: str


def data_dir() -> Path:
    """The data directory of the server on this machine: REGCORE_DATA_DIR, else ./.regcore."""
    return _expanded("REGCORE_DATA_DIR", os.environ.get("REGCORE_DATA_DIR") or DEFAULT_DATA_DIR)  # as the servers do


def find_connection(url: str | None = None, api_key: str | None = None) -> Connection:
    """Resolve URL and key, each on its own: argument, REGCORE_URL / REGCORE_API_KEY, the local files.

    A key may be missing (the server then answers 401), because "nothing runs there" is the better message
    when nothing does.

    Raises:
        UsageError: One of them cannot be used; the message says where it came from, and shows no key.
    """
    given_url = _argument("url", url) or _variable("REGCORE_URL")
    of_local_files = given_url is None
    found_url = _checked_url(given_url or _local_file(URL_FILE_NAME) or _Given(DEFAULT_URL, "the default"))
    given_key = _argument("api_key", api_key) or _variable("REGCORE_API_KEY") or _key_file()
    # The local admin key must not travel to a server that merely happens to be named in REGCORE_URL.
    if given_key is None and (of_local_files or is_loopback(found_url)):
        given_key = _local_file(KEY_FILE_NAME)
    return Connection(found_url, given_key and _checked_key(given_key), of_local_files=of_local_files)


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine, however that is written."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _is_short_loopback(host)
    address = getattr(address, "ipv4_mapped", None) or address
    return _is_here(address)


def _is_short_loopback(host: str) -> bool:
    """Whether it is one of the old forms that still connect, such as 127.1 or 0x7f000001."""
    try:
        address = ipaddress.ip_address(socket.inet_aton(host))
    except (OSError, UnicodeError, ValueError):
        return False
    return _is_here(address)


def _is_here(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_loopback or address.is_unspecified  # connecting to 0.0.0.0 arrives at this machine


def _checked_url(given: _Given) -> str:
    """The URL without a slash at its end.

    Raises:
        UsageError: It is no address of a server.
    """
    text = given.text.strip() if isinstance(given.text, str) else ""
    wrong = "" if isinstance(given.text, str) else f"received a {type(given.text).__name__}"
    if not wrong:
        wrong = _fault_of_url(text)
    if not wrong:
        scheme, _, rest = text.partition(":")
        return f"{scheme.lower()}:{rest.rstrip('/')}"
    raise UsageError(f"{given.source}: expected http://HOST:PORT or https://HOST; {wrong}.")


def _fault_of_url(text: str) -> str:
    """What is wrong with a URL, in words that show no password and no token; nothing if it is right."""
    if "@" in text:
        return "received one with '@'. A user or password has no place in it: the key goes into REGCORE_API_KEY"
    address = re.split(r"[?#]", text, maxsplit=1)[0]
    shown = f"received {address!r}"
    if address != text:
        return f"received {address + text[len(address)]!r} and more. Leave out what follows {text[len(address)]!r}"
    if not text.isprintable() or "\\" in text or any(character.isspace() for character in text):
        return f"{shown}, with characters that no address has"
    try:
        parts = urlsplit(text)
        port = parts.port
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0
        if is_whole:
            httpx2.URL(text)
    except (ValueError, httpx2.InvalidURL):
        return f"{shown}, whose host or port is none"
    if "://" not in text and text:
        return f"{shown}. Write http://{text.lstrip('/')}"
    if any(part in (".", "..") for part in parts.path.split("/")):
        return f"{shown}, with dots as parts of its path"
    return "" if is_whole else shown


def _checked_key(given: _Given) -> str:
    """The key without the whitespace around it.

    Raises:
        UsageError: It can be no key. Neither the message nor what caused it has any part of it.
    """
    if not isinstance(given.text, str):
        _refuse_key(given, f"received a {type(given.text).__name__}")
    key = given.text.strip()
    if not key:
        _refuse_key(given, "it is empty")
    if key[0] in _QUOTES or key[-1] in _QUOTES:
        _refuse_key(given, "it is in quotes, which belong to the shell. Take them away")
    if not _VISIBLE_ASCII.fullmatch(key):
        _refuse_key(given, "it has spaces or characters that are no visible ASCII. Give the key alone, on one line")
    return str(key)


def _refuse_key(given: _Given, why: str) -> NoReturn:
    raise UsageError(f"{given.source}: expected a key, such as rc_…; {why}. (The value is not shown.)")


def _argument(name: str, value: Any) -> _Given | None:
    return None if value is None else _Given(value, name)


def _variable(name: str) -> _Given | None:
    text = os.environ.get(name)
    return _Given(text, name) if text else None  # what is set to nothing is not set, as in compose files


def _key_file() -> _Given | None:
    name = os.environ.get("REGCORE_API_KEY_FILE")
    if not name:
        return None
    path = _expanded("REGCORE_API_KEY_FILE", name)
    text = _read(path, "REGCORE_API_KEY_FILE")
    if text is None:
        raise UsageError(f"REGCORE_API_KEY_FILE: there is no file {path}.")
    return _Given(text, f"REGCORE_API_KEY_FILE ({path})")


def _expanded(variable: str, name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:  # `~somebody` whom this machine does not know
        raise UsageError(f"{variable}: expected a path; {name!r} begins with the home of nobody.") from None


def _local_file(name: str) -> _Given | None:
    """A file of the data directory; one that is empty or not there says nothing."""
    path = data_dir() / name
    text = _read(path, "the data directory of a local server (REGCORE_DATA_DIR)")
    return _Given(text, str(path)) if text and text.strip() else None


def _read(path: Path, named_by: str) -> str | None:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        said = (isinstance(error, OSError) and error.strerror) or str(error)
        raise UsageError(f"{named_by}: {path} cannot be read: {said}.") from None
    if len(content) > _MAX_FILE_BYTES:
        raise UsageError(f"{named_by}: {path} is too long to hold what is read from it.")
    # What is not UTF-8 is refused with all else that is not ASCII; an error of decoding would carry the content.
    return content.decode("utf-8", errors="replace")
