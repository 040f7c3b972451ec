"""The store on both databases, and jobs to put into it."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import text

from jobs.database import Database
from jobs.model import Capabilities, ClaimedRun, IdempotencyKey, Job, NewJob
from jobs.settings import Settings
from jobs.store import Store, open_store

TENANT = "tenant-a"
MEMBER_BYTES = 1_000


@pytest.fixture(params=["sqlite", "postgresql"])
def kind_of_database(request: pytest.FixtureRequest) -> str:
    """Every test that uses this runs on SQLite and on PostgreSQL."""
    kind: str = request.param
    return kind


@pytest.fixture
def database_settings(request: pytest.FixtureRequest, settings: Settings, kind_of_database: str) -> Settings:
    """Settings of an empty database."""
    return settings if kind_of_database == "sqlite" else _on(settings, request.getfixturevalue("postgres_url"))


@pytest.fixture
def migrated_settings(request: pytest.FixtureRequest, settings: Settings, kind_of_database: str) -> Settings:
    """Settings of a database with tables."""
    if kind_of_database == "sqlite":
        return request.getfixturevalue("with_tables")
    return _on(settings, request.getfixturevalue("postgres_url_with_tables"))


def _on(settings: Settings, database_url: str) -> Settings:
    return settings.model_copy(update={"database_url": Settings(database_url=database_url).database_url})


@pytest.fixture
def store(migrated_settings: Settings) -> Iterator[Store]:
    """An empty store."""
    opened = open_store(migrated_settings)
    yield opened
    opened.close()


@pytest.fixture
def database(migrated_settings: Settings) -> Iterator[Database]:
    """The store's database, to look behind it."""
    opened = Database(migrated_settings.database_url)
    yield opened
    opened.close()


@pytest.fixture
def tenant() -> str:
    """Whose jobs these are."""
    return TENANT


@pytest.fixture
def new_job() -> Callable[..., NewJob]:
    """Makes jobs to submit."""

    def make(
        name: str | None = None,
        *,
        labels: dict[str, str] | None = None,
        priority: str = "normal",
        device: str = "auto",
        pool: str | None = None,
        fusion_key: str | None = None,
        max_memory_bytes: int | None = None,
        checkpoint: dict[str, Any] | None = None,
        plugins: Sequence[str] = (),
    ) -> NewJob:
        resources = {"device": device, "pool": pool, "max_memory_bytes": max_memory_bytes}
        return NewJob(
            name=name,
            labels=labels or {},
            priority=priority,
            spec={"data": {"kind": "builtin", "name": "digits"}},
            resolved_spec={"data": {"kind": "builtin", "name": "digits"}, "resources": resources},
            plan={"num_epochs": 3, "num_steps": 30},
            warnings=[{"code": "slow", "pointer": "/training", "message": "…", "remedy": "…"}],
            fusion_key=fusion_key,
            member_bytes=MEMBER_BYTES,
            checkpoint=checkpoint,
            plugins=plugins,
        )

    return make


@pytest.fixture
def submit(store: Store, new_job: Callable[..., NewJob]) -> Callable[..., Job]:
    """Submits a job and returns it."""

    def submit(name: str | None = None, *, of: str = TENANT, **fields: Any) -> Job:
        return store.submit(of, new_job(name, **fields)).job

    return submit


@pytest.fixture
def cpu() -> Capabilities:
    """A worker without a GPU."""
    return Capabilities(frozenset({"cpu"}))


@pytest.fixture
def running(store: Store, submit: Callable[..., Job], cpu: Capabilities) -> Callable[..., ClaimedRun]:
    """Submits a job, claims it and starts it."""

    def run(name: str | None = None, **fields: Any) -> ClaimedRun:
        submit(name, **fields)
        claimed = store.claim("wrk_1", cpu)
        assert claimed is not None
        assert store.start_all(claimed.run_id)[claimed.jobs[0].id]
        return claimed

    return run


@pytest.fixture
def running_group(store: Store, submit: Callable[..., Job], cpu: Capabilities) -> Callable[..., ClaimedRun]:
    """Submits jobs that may train in one pass, claims them as a group and starts them."""

    def run(num_jobs: int = 3, **fields: Any) -> ClaimedRun:
        ids = [submit(fusion_key="same", **fields).id for _ in range(num_jobs)]
        claimed = store.claim("wrk_1", cpu)
        assert claimed is not None
        group = store.join(claimed.run_id, ids[0], cpu, num_jobs - 1, 10**9)
        assert [job.id for job in group.jobs] == ids
        store.start_all(group.run_id)
        return group

    return run


@pytest.fixture
def key() -> Callable[..., IdempotencyKey]:
    """Makes idempotency keys."""

    def make(name: str = "key", body: str = "body", route: str = "POST /v1/jobs") -> IdempotencyKey:
        return IdempotencyKey(route, name, hashlib.sha256(body.encode()).hexdigest())

    return make


@pytest.fixture
def pass_lease(database: Database) -> Callable[[int], None]:
    """Makes a run's lease end in the past, without waiting for it."""

    def pass_it(run_id: int) -> None:
        with database.write() as connection:
            connection.execute(text("UPDATE runs SET lease_until = 1 WHERE id = :id"), {"id": run_id})

    return pass_it


@pytest.fixture
def rewind(database: Database) -> Callable[..., None]:
    """Sets a column of every row of a table to a time in the past."""

    def set_past(table: str, column: str, at: float = 1.0) -> None:
        with database.write() as connection:
            connection.execute(text(f"UPDATE {table} SET {column} = :at"), {"at": at})

    return set_past
