import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from jobs.database import Database
from jobs.keys import ADMIN, Token
from jobs.store import Store
from jobs.tables import keys


@pytest.fixture
def token(store: Store, tenant: str) -> Token:
    made = Token.new()
    assert store.add_first_key(made, tenant=tenant, scopes=ADMIN)
    return made


def test_a_key_stands_for_its_tenant(store: Store, tenant: str, token: Token) -> None:
    principal = store.authenticate(str(token))

    assert principal is not None
    assert (principal.tenant, principal.key_id, principal.scopes) == (tenant, token.key_id, {"admin"})


def test_anything_else_stands_for_nobody(store: Store, token: Token) -> None:
    text = str(token)
    wrong = [
        "",
        "rc_",
        text[:-1],
        text + "x",
        text.upper(),
        f" {text}",
        str(Token(token.key_id, Token.new().secret)),
    ]
    wrong += [str(Token(Token.new().key_id, token.secret)), text.replace("rc_", "rc-"), text + "\x00"]

    assert [store.authenticate(one) for one in wrong] == [None] * len(wrong)


def test_the_secret_is_not_in_the_database(database: Database, token: Token) -> None:
    with database.read() as connection:
        row = connection.execute(select(keys)).one()

    assert token.secret not in str(row)


def test_an_expired_key_stands_for_nobody(store: Store, token: Token, rewind: Callable[..., None]) -> None:
    rewind("keys", "expires_at")

    assert store.authenticate(str(token)) is None


def test_the_last_use_is_noted_once_a_minute(
    store: Store, database: Database, token: Token, rewind: Callable[..., None]
) -> None:
    def last_use() -> float | None:
        with database.read() as connection:
            return connection.execute(select(keys.c.last_used_at)).scalar_one()

    before = last_use()
    store.authenticate(str(token))
    first = last_use()
    store.authenticate(str(token))
    second = last_use()
    rewind("keys", "last_used_at")
    store.authenticate(str(token))

    assert before is None
    assert first is not None
    assert second == first
    assert last_use() != 1.0


def test_a_caller_is_known_even_where_its_use_cannot_be_noted(
    store: Store,
    database: Database,
    token: Token,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from jobs.errors import StoreUnavailableError

    def fail() -> None:
        raise StoreUnavailableError

    monkeypatch.setattr(store._database, "write", fail)

    with caplog.at_level(logging.WARNING):
        principal = store.authenticate(str(token))

    assert principal is not None
    assert token.secret not in caplog.text
    assert token.key_id in caplog.text


def test_only_one_of_many_first_keys_is_added(store: Store, tenant: str) -> None:
    tokens = [Token.new() for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda one: store.add_first_key(one, tenant=tenant, scopes=ADMIN), tokens))

    assert added.count(True) == 1
    assert [store.authenticate(str(one)) is not None for one in tokens] == added


def test_an_imported_key_works_and_may_be_imported_again(store: Store, tenant: str, token: Token) -> None:
    bootstrap = Token.new()
    changed = Token(bootstrap.key_id, Token.new().secret)

    store.import_key(bootstrap, tenant=tenant, scopes=ADMIN)
    store.import_key(bootstrap, tenant=tenant, scopes=ADMIN)
    known = store.authenticate(str(bootstrap))
    store.import_key(changed, tenant=tenant, scopes=ADMIN)

    assert known is not None
    assert store.authenticate(str(bootstrap)) is None
    assert store.authenticate(str(changed)) is not None
    assert store.authenticate(str(token)) is not None


def test_has_keys(store: Store, tenant: str) -> None:
    before = store.has_keys()
    store.import_key(Token.new(), tenant=tenant, scopes=ADMIN)

    assert not before
    assert store.has_keys()
