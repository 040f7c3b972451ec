"""The server's URL and key: from arguments, else from the environment, else from a local `regcore up`.

Both are checked here, before they are used. No message shows a key, and neither does an exception that is raised later.
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


@dataclass(frozen=True, slots=True)  # slots, so that `vars` cannot show the key
class Connection:
    """A server and the key for it.

    Attributes:
        is_local: Whether the server runs on this machine; no proxy is used for it then.
        of_local_files: Whether the URL was not given, but found in the data directory or assumed.
    """

    url: str
    api_key: str | None = field(repr=False)
    is_local: bool = field(init=False)
    of_local_files: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_local", self.of_local_files or is_loopback(self.url))


class _Given(NamedTuple):
    """A value and its source: the name of an argument, a variable or a file."""

    text: Any
    source: str


def data_dir() -> Path:
    """Return the data directory of the server on this machine: REGCORE_DATA_DIR, else ./.regcore."""
    return _expanded("REGCORE_DATA_DIR", os.environ.get("REGCORE_DATA_DIR") or DEFAULT_DATA_DIR)  # as the servers do


def find_connection(url: str | None = None, api_key: str | None = None) -> Connection:
    """Find URL and key, each for itself: in the argument, REGCORE_URL or REGCORE_API_KEY, or the local files.

    A missing key is not an error (the server then answers 401): if no server runs, the message must say that.

    Raises:
        UsageError: One of them cannot be used. The message names its source, and shows no key.
    """
    given_url = _argument("url", url) or _variable("REGCORE_URL")
    of_local_files = given_url is None
    found_url = _checked_url(given_url or _local_file(URL_FILE_NAME) or _Given(DEFAULT_URL, "the default"))
    given_key = _argument("api_key", api_key) or _variable("REGCORE_API_KEY") or _key_file()
    # The local admin key must never be sent to another machine's server that REGCORE_URL names.
    if given_key is None and (of_local_files or is_loopback(found_url)):
        given_key = _local_file(KEY_FILE_NAME)
    return Connection(found_url, given_key and _checked_key(given_key), of_local_files=of_local_files)


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine, in any spelling."""
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
    """Whether the host is a loopback address in an old form that still connects, such as 127.1 or 0x7f000001."""
    try:
        address = ipaddress.ip_address(socket.inet_aton(host))
    except (OSError, UnicodeError, ValueError):
        return False
    return _is_here(address)


def _is_here(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_loopback or address.is_unspecified  # 0.0.0.0 connects to this machine


def _checked_url(given: _Given) -> str:
    """Return the URL without a slash at its end.

    Raises:
        UsageError: It is not the URL of a server.
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
    """Return what is wrong with a URL, without any password or token in it; "" if nothing is."""
    if "@" in text:
        return "received one with '@'. Remove the user and password, and put the key into REGCORE_API_KEY"
    address = re.split(r"[?#]", text, maxsplit=1)[0]
    shown = f"received {address!r}"
    if address != text:
        return f"received {address + text[len(address)]!r} and more. Remove {text[len(address)]!r} and all after it"
    if not text.isprintable() or "\\" in text or any(character.isspace() for character in text):
        return f"{shown}, with characters that no URL may contain"
    try:
        parts = urlsplit(text)
        port = parts.port
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0
        if is_whole:
            httpx2.URL(text)
    except (ValueError, httpx2.InvalidURL):
        return f"{shown}, whose host or port is not valid"
    if "://" not in text and text:
        return f"{shown}. Write http://{text.lstrip('/')}"
    if any(part in (".", "..") for part in parts.path.split("/")):
        return f"{shown}, with `.` or `..` as a part of its path"
    return "" if is_whole else shown


def _checked_key(given: _Given) -> str:
    """Return the key without the whitespace around it.

    Raises:
        UsageError: It cannot be a key. Neither the message nor the exception's cause shows any part of it.
    """
    if not isinstance(given.text, str):
        _refuse_key(given, f"received a {type(given.text).__name__}")
    key = given.text.strip()
    if not key:
        _refuse_key(given, "it is empty")
    if key[0] in _QUOTES or key[-1] in _QUOTES:
        _refuse_key(given, "it has quotes around it. Remove them")
    if not _VISIBLE_ASCII.fullmatch(key):
        _refuse_key(given, "it has spaces or characters that are not visible ASCII. Give the key alone, on one line")
    return str(key)


def _refuse_key(given: _Given, why: str) -> NoReturn:
    raise UsageError(f"{given.source}: expected a key, such as rc_…; {why}. (The value is not shown.)")


def _argument(name: str, value: Any) -> _Given | None:
    return None if value is None else _Given(value, name)


def _variable(name: str) -> _Given | None:
    text = os.environ.get(name)
    # an empty variable counts as unset, because compose files set such ones
    return _Given(text, name) if text else None


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
    except RuntimeError:  # `~name`, where this machine has no such user
        raise UsageError(
            f"{variable}: expected a path; {name!r} begins with a user whom this machine does not know."
        ) from None


def _local_file(name: str) -> _Given | None:
    """Return the content of a file of the data directory; None if it is empty or missing."""
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
        raise UsageError(f"{named_by}: {path} has more than {_MAX_FILE_BYTES:,} bytes, so it holds no key and no URL.")
    # Bytes that are not UTF-8 are refused later, with all that is not ASCII. An error of decoding would show the
    # content.
    return content.decode("utf-8", errors="replace")
