"""Opening the store."""

from sqlalchemy import inspect, select, text

from jobs.database import Database
from jobs.errors import UnmigratedDatabaseError
from jobs.keys import load_server_secret
from jobs.settings import Settings
from jobs.store.actions import Actions
from jobs.store.base import StoreOptions
from jobs.store.claiming import Claiming
from jobs.store.datasets import Datasets
from jobs.store.endings import Endings
from jobs.store.joining import Joining
from jobs.store.listing import Listing
from jobs.store.parsing import Parsing
from jobs.store.principals import Principals
from jobs.store.reading import Reading
from jobs.store.recovery import Recovery
from jobs.store.rungs import SweepRungs
from jobs.store.runs import Runs
from jobs.store.submission import Submissions
from jobs.store.sweep_reading import SweepReading
from jobs.store.sweeps import Sweeps
from jobs.store.training import Training
from jobs.store.workers import Workers
from jobs.tables import SCHEMA_REVISION


class Store(
    Submissions,
    Reading,
    Listing,
    Actions,
    Sweeps,
    SweepReading,
    SweepRungs,
    Claiming,
    Joining,
    Runs,
    Training,
    Endings,
    Recovery,
    Datasets,
    Parsing,
    Workers,
    Principals,
):
    """All data about jobs, sweeps, data sets, runs, workers and keys. Safe to share between threads."""

    def ping(self) -> None:
        """Raise `StoreUnavailableError` unless the database answers."""
        with self._database.read() as connection:
            connection.execute(select(1))

    def check_ready(self) -> None:
        """Raise `StoreUnavailableError`, with what is wrong, unless the database can be read and written."""
        self.ping()
        self._database.check_writable()

    def check_schema(self) -> None:
        """Raise `UnmigratedDatabaseError` unless the tables are those of this version."""
        check_schema(self._database)

    def close(self) -> None:
        """Close the connections."""
        self._database.close()


def check_schema(database: Database) -> None:
    """Raise `UnmigratedDatabaseError` unless the tables are those of this version."""
    with database.read() as connection:
        found = None
        if inspect(connection).has_table("alembic_version"):
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found != SCHEMA_REVISION:
        raise UnmigratedDatabaseError(found, SCHEMA_REVISION)


def open_store(settings: Settings) -> Store:
    """Connect, and check that the database is of this version.

    Raises:
        UnmigratedDatabaseError: The tables are not those of this version.
        StoreUnavailableError: The database does not answer.
    """
    options = StoreOptions(
        lease_s=settings.lease_s,
        max_attempts=settings.max_attempts,
        reconcile_interval_s=settings.reconcile_interval_s,
        idempotency_ttl_s=settings.idempotency_ttl_s,
        priority_step_s=settings.priority_step_s,
        server_secret=load_server_secret(settings),
    )
    store = Store(Database(settings.database_url), options)
    try:
        store.check_schema()
    except BaseException:
        store.close()
        raise
    return store
