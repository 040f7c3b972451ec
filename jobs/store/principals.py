"""Keys in the store, and whom they stand for."""

import hmac
import logging

from sqlalchemy import Connection, insert, select, text, update

from jobs.clock import read_clock
from jobs.errors import StoreUnavailableError
from jobs.keys import Token, hash_secret
from jobs.model import Principal
from jobs.store.base import Concern
from jobs.tables import keys

_LAST_USE_STEP_S = 60.0

_logger = logging.getLogger(__name__)


class Principals(Concern):
    """Adding keys, and finding the caller of a token."""

    def has_keys(self) -> bool:
        """Return whether there is any key."""
        with self._database.read() as connection:
            return connection.execute(select(keys.c.id).limit(1)).first() is not None

    def add_first_key(self, token: Token, *, tenant: str, scopes: frozenset[str]) -> bool:
        """Add a key if there is none; False if there was one. Of many callers at once, one succeeds."""
        with self._database.write() as connection:
            if not self._database.is_sqlite:
                connection.execute(text("LOCK TABLE keys IN EXCLUSIVE MODE"))
            if connection.execute(select(keys.c.id).limit(1)).first() is not None:
                return False
            self._insert(connection, token, tenant, "first key", scopes)
            return True

    def import_key(self, token: Token, *, tenant: str, scopes: frozenset[str]) -> None:
        """Add a key that was made elsewhere, or replace the secret of a known one."""
        with self._database.write() as connection:
            if not self._database.is_sqlite:
                connection.execute(text("LOCK TABLE keys IN EXCLUSIVE MODE"))
            new_hash = hash_secret(self._options.server_secret, token)
            changed = update(keys).where(keys.c.id == token.key_id).values(secret_hmac=new_hash)
            if not connection.execute(changed).rowcount:
                self._insert(connection, token, tenant, "bootstrap key", scopes)

    def authenticate(self, token_text: str) -> Principal | None:
        """Return the caller that a token stands for; None if the token is unknown, wrong or expired."""
        token = Token.parse(token_text)
        with self._database.read() as connection:
            at = read_clock(connection)
            query = select(keys).where(keys.c.id == (token.key_id if token else ""))
            row = connection.execute(query).one_or_none()
        # Compare for an unknown key too, so that it takes as long as a wrong secret.
        given = hash_secret(self._options.server_secret, token or Token("", ""))
        matches = hmac.compare_digest(given, row.secret_hmac if row else "0" * 64)
        if row is None or not matches or (row.expires_at is not None and row.expires_at <= at):
            return None
        if row.last_used_at is None or row.last_used_at < at - _LAST_USE_STEP_S:
            self._note_use(row.id, at)
        return Principal(row.tenant, row.id, frozenset(row.scopes))

    def _note_use(self, key_id: str, at: float) -> None:
        try:
            with self._database.write() as connection:
                connection.execute(update(keys).where(keys.c.id == key_id).values(last_used_at=at))
        except StoreUnavailableError:
            # The key is valid; only the note of its last use is lost, and the next call writes it.
            _logger.warning("could not note the use of key %s", key_id)

    def _insert(self, connection: Connection, token: Token, tenant: str, name: str, scopes: frozenset[str]) -> None:
        values = {
            "id": token.key_id,
            "tenant": tenant,
            "name": name,
            "secret_hmac": hash_secret(self._options.server_secret, token),
            "scopes": sorted(scopes),
            "created_at": read_clock(connection),
        }
        connection.execute(insert(keys).values(values))
