import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.keys import Token, hash_secret, load_server_secret
from jobs.settings import Settings
from jobs.store import Store, open_store


def test_a_token_is_read_as_it_is_written() -> None:
    token = Token.new()

    assert str(token).startswith("rc_")
    assert len(token.secret) >= 43
    assert Token.parse(str(token)) == token
    assert token.secret not in repr(token)


def test_a_secret_may_hold_underscores() -> None:
    secret = "_" * 43

    assert Token.parse(f"rc_0123_{secret}") == Token("key_0123", secret)


@pytest.mark.parametrize("text", ["", "rc_a_b", "rc__" + "s" * 43, "rc_abcd_" + "s" * 42, "xx_abcd_" + "s" * 43])
def test_what_is_not_a_token_is_none(text: str) -> None:
    assert Token.parse(text) is None


def test_the_hash_depends_on_both_secrets_and_the_id() -> None:
    token, other = Token("key_a", "s"), Token("key_b", "s")

    assert len({hash_secret(b"1", token), hash_secret(b"2", token), hash_secret(b"1", other)}) == 3


def test_the_server_secret_is_made_once_and_private(settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(load_server_secret, [settings] * 8))

    path = settings.data_dir / "server-secret"
    assert len(secrets) == 1
    assert len(secrets.pop()) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in settings.data_dir.iterdir()] == ["server-secret"]


def test_a_server_secret_that_is_set_is_used() -> None:
    assert load_server_secret(Settings(server_secret="s" * 40)) == b"s" * 40


def test_replicas_with_one_server_secret_know_each_others_keys(
    migrated_settings: Settings, tenant: str, tmp_path: Path
) -> None:
    def replica(name: str, secret: str) -> Store:
        changes = {"data_dir": tmp_path / name}
        return open_store(Settings(**{**migrated_settings.model_dump(), **changes, "server_secret": secret}))

    token = Token.new()
    one, two, stranger = replica("1", "s" * 40), replica("2", "s" * 40), replica("3", "t" * 40)
    one.import_key(token, tenant=tenant, scopes=frozenset({"admin"}))
    known = [store.authenticate(str(token)) is not None for store in (one, two, stranger)]
    for store in (one, two, stranger):
        store.close()

    assert known == [True, True, False]
