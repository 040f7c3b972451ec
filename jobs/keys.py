"""API keys, ``rc_<id>_<secret>``: shown once, stored as an HMAC; and the secret of that HMAC."""

import hashlib
import hmac
import os
import re
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import InvalidKeyError
from jobs.ids import new_id
from jobs.settings import Settings
from jobs.variables import read_secret_file

ADMIN = frozenset({"admin"})
"""The scopes of a key that may do everything."""

_NUM_SECRET_BYTES = 32
_TOKEN = re.compile(r"rc_([0-9A-Za-z]{4,36})_([0-9A-Za-z_-]{43,200})")


@dataclass(frozen=True, slots=True)
class Token:
    """An API key as its holder has it."""

    key_id: str
    secret: str

    @classmethod
    def new(cls) -> "Token":
        """Make a key with 32 random bytes of secret."""
        return cls(new_id("key"), secrets.token_urlsafe(_NUM_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> "Token | None":
        """Parse a key; None if the text is not one."""
        found = _TOKEN.fullmatch(text)
        return cls(f"key_{found[1]}", found[2]) if found else None

    def __str__(self) -> str:
        return f"rc_{self.key_id.removeprefix('key_')}_{self.secret}"

    def __repr__(self) -> str:
        return f"Token({self.key_id!r}, …)"


def hash_secret(server_secret: bytes, token: Token) -> str:
    """Return HMAC-SHA-256 of a key, in hexadecimal."""
    return hmac.new(server_secret, str(token).encode(), hashlib.sha256).hexdigest()


def key_path(settings: Settings) -> Path:
    """Where the first start writes the admin key."""
    return settings.data_dir / "api-key"


def load_server_secret(settings: Settings) -> bytes:
    """Return the secret of the HMAC; the first caller makes it."""
    if settings.server_secret is not None:
        return settings.server_secret.get_secret_value().encode()
    path = settings.data_dir / "server-secret"
    if not path.exists():
        write_once(path, secrets.token_hex(32) + "\n")
    try:
        return read_secret_file(path).encode()
    except ValueError as error:
        raise InvalidKeyError(
            f"{error}. The server's secret was there; restore it, or every key that was given out is void."
        ) from None


def write_once(path: Path, content: str) -> None:
    """Write a private file, whole or not at all; keep an existing one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        os.unlink(temporary)
