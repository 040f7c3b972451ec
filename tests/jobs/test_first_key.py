import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.errors import InvalidKeyError
from jobs.first_key import ensure_first_key
from jobs.keys import Token, key_path
from jobs.settings import Settings
from jobs.store import Store, open_store


def test_the_first_start_writes_a_private_admin_key(store: Store, migrated_settings: Settings) -> None:
    ensure_first_key(store, migrated_settings)

    path = key_path(migrated_settings)
    principal = store.authenticate(path.read_text().strip())
    assert principal is not None
    assert principal.scopes == {"admin"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_second_start_changes_nothing(store: Store, migrated_settings: Settings) -> None:
    ensure_first_key(store, migrated_settings)
    before = key_path(migrated_settings).read_text()

    ensure_first_key(store, migrated_settings)

    assert key_path(migrated_settings).read_text() == before


def test_many_starts_at_once_agree_on_one_key(migrated_settings: Settings) -> None:
    def start(_: int) -> str:
        opened = open_store(migrated_settings)
        ensure_first_key(opened, migrated_settings)
        text = key_path(migrated_settings).read_text().strip()
        known = opened.authenticate(text)
        opened.close()
        return text if known else "unknown"

    with ThreadPoolExecutor(8) as pool:
        texts = set(pool.map(start, range(8)))

    assert len(texts) == 1
    assert texts != {"unknown"}


def test_a_key_file_that_outlived_its_database_is_taken_over(store: Store, migrated_settings: Settings) -> None:
    token = Token.new()
    key_path(migrated_settings).write_text(f"{token}\n")

    ensure_first_key(store, migrated_settings)

    assert store.authenticate(str(token)) is not None


def test_no_second_key_is_made_where_the_store_has_one(store: Store, migrated_settings: Settings, tenant: str) -> None:
    store.import_key(Token.new(), tenant=tenant, scopes=frozenset({"admin"}))

    ensure_first_key(store, migrated_settings)

    assert not key_path(migrated_settings).exists()


def test_the_bootstrap_key_is_imported(store: Store, migrated_settings: Settings, tmp_path: Path) -> None:
    token = Token.new()
    file = tmp_path / "bootstrap"
    file.write_text(f"{token}\n")

    ensure_first_key(store, migrated_settings.model_copy(update={"bootstrap_key_file": file}))

    assert store.authenticate(str(token)) is not None
    assert not key_path(migrated_settings).exists()


def test_a_bootstrap_file_without_a_key_is_refused(store: Store, migrated_settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "bootstrap"
    file.write_text("password\n")

    with pytest.raises(InvalidKeyError, match="rc_<id>_<secret>"):
        ensure_first_key(store, migrated_settings.model_copy(update={"bootstrap_key_file": file}))
