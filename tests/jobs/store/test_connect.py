from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from jobs.database import Database
from jobs.errors import StoreUnavailableError, UnmigratedDatabaseError
from jobs.migrate import migrate
from jobs.settings import Settings
from jobs.store import Store, open_store


def test_an_empty_database_is_refused_and_left_empty(database_settings: Settings) -> None:
    with pytest.raises(UnmigratedDatabaseError, match=r"is empty.*regcore migrate"):
        open_store(database_settings)

    database = Database(database_settings.database_url)
    with database.read() as connection:
        tables = inspect(connection).get_table_names()
    database.close()
    assert tables == []


def test_a_database_of_another_version_is_refused(database_settings: Settings) -> None:
    migrate(database_settings)
    database = Database(database_settings.database_url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()

    with pytest.raises(UnmigratedDatabaseError, match="revision 9999"):
        open_store(database_settings)


def test_a_store_that_answers_answers_a_ping(store: Store) -> None:
    store.ping()


def test_a_database_that_is_away_is_unavailable(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url="postgresql://nobody@127.0.0.1:1/none")

    with pytest.raises(StoreUnavailableError):
        open_store(settings)
