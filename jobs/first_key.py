"""The first key: there is always one, so that a new server can be used at once and by nobody else."""

from pathlib import Path

from jobs.errors import InvalidKeyError
from jobs.keys import ADMIN, Token, key_path, write_once
from jobs.settings import Settings
from jobs.store import Store
from jobs.variables import read_secret_file

DEFAULT_TENANT = "default"


def ensure_first_key(store: Store, settings: Settings) -> None:
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
        write_once(path, f"{Token.new()}\n")
    store.add_first_key(_read_token(path), tenant=DEFAULT_TENANT, scopes=ADMIN)


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
