"""API keys, ``rc_<id>_<secret>``: shown once, stored as an HMAC; and the secret of that HMAC."""

import hashlib
import hmac
import os
import re
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.errors import InvalidKeyError
from jobs.ids import new_id
from jobs.settings import Settings
from jobs.variables import read_secret_file

if TYPE_CHECKING:
    from jobs.store import Store

DEFAULT_TENANT = "default"
ADMIN = frozenset({"admin"})

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


def ensure_first_key(store: "Store", settings: Settings) -> None:
    """Make sure that a key exists: the bootstrap key, or a new one in ``{data_dir}/api-key``.

    If many processes start at once, file and store still hold the same key.

    Raises:
        InvalidKeyError: The bootstrap key's file holds no key.
    """
    if settings.bootstrap_key_file is not None:
        try:
            token = _read_token(settings.bootstrap_key_file)
        except InvalidKeyError as error:
            raise InvalidKeyError(f"REGCORE_BOOTSTRAP_KEY_FILE: {error}") from None
        store.import_key(token, tenant=DEFAULT_TENANT, scopes=ADMIN)
        return
    # The file comes first: a process that loses the race to write it uses the winner's key, so file and store agree.
    path = key_path(settings)
    if not path.exists():
        if store.has_keys():
            return
        _write_once(path, f"{Token.new()}\n")
    store.add_first_key(_read_token(path), tenant=DEFAULT_TENANT, scopes=ADMIN)


def load_server_secret(settings: Settings) -> bytes:
    """Return the secret of the HMAC; the first caller makes it."""
    if settings.server_secret is not None:
        return settings.server_secret.get_secret_value().encode()
    path = settings.data_dir / "server-secret"
    if not path.exists():
        _write_once(path, secrets.token_hex(32) + "\n")
    try:
        return read_secret_file(path).encode()
    except ValueError as error:
        raise InvalidKeyError(
            f"{error}. The server's secret was there; restore it, or every key that was given out is void."
        ) from None


def _read_token(path: Path) -> Token:
    try:
        token = Token.parse(read_secret_file(path))
    except ValueError as error:
        raise InvalidKeyError(f"{error}.") from None
    if token is None:
        raise InvalidKeyError(
            f"{path} must hold a key, rc_<id>_<secret>: an id of 4 to 36 letters and digits, and a secret of "
            "at least 43 characters of A-Z a-z 0-9 _ -."
        )
    return token


def _write_once(path: Path, content: str) -> None:
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
