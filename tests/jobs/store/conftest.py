"""Sweeps to put into the store, and what tests of locks need."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from one_job import finish
from sqlalchemy import text

from jobs.database import Database
from jobs.model import Capabilities, NewDataset, NewJob, NewSweep, ParsedTable, Sweep
from jobs.states import JobState
from jobs.store import Store

Submit = Callable[..., Sweep]


@pytest.fixture
def new_sweep(new_job: Callable[..., NewJob]) -> Callable[..., NewSweep]:
    """Makes sweeps of combinations with two seeds each."""

    def make(num_candidates: int = 2, name: str | None = "sweep", labels: dict[str, str] | None = None) -> NewSweep:
        members = [
            replace(
                new_job(labels={"team": "vision"}),
                sweep={"variant": None, "values": {"/a": k}, "seed": seed, "candidate": str(k)},
            )
            for k in range(num_candidates)
            for seed in (0, 1)
        ]
        return NewSweep(name, labels or {}, {"base": {}}, members)

    return make


@pytest.fixture
def submit_sweep(store: Store, new_sweep: Callable[..., NewSweep], tenant: str) -> Submit:
    """Submits a sweep and returns it."""
    return lambda *args, **fields: store.submit_sweep(tenant, new_sweep(*args, **fields)).sweep


@pytest.fixture
def end(store: Store, cpu: Capabilities) -> Callable[..., str]:
    """Claims the next member, starts it and ends it."""

    def end_next(state: JobState, **fields: Any) -> str:
        claimed = store.claim("wrk_1", cpu)
        assert claimed is not None
        job_id = claimed.jobs[0].id
        store.start_all(claimed.run_id)
        finish(store, claimed.run_id, job_id, state, **fields)
        return job_id

    return end_next


@pytest.fixture
def wait_until_blocked(database: Database) -> Callable[[], None]:
    """Waits until a transaction waits for another's lock; on SQLite a write excludes every other from its beginning."""

    def wait() -> None:
        query = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        for _ in range(0 if database.is_sqlite else 500):
            with database.read() as connection:
                if connection.execute(query).scalar_one():
                    return
            time.sleep(0.01)
        assert database.is_sqlite, "no transaction waits"

    return wait


@pytest.fixture
def new_dataset() -> Callable[..., NewDataset]:
    """Makes data sets to store."""

    def make(
        name: str | None = None, *, content: bytes = b"a,b\n1,2\n", header: str = "auto", format: str = "csv"
    ) -> NewDataset:
        return NewDataset(name, hashlib.sha256(content).hexdigest(), len(content), header, format)

    return make


@pytest.fixture
def parsed() -> ParsedTable:
    """What a worker finds in a data set's file."""
    facts = {"format": "csv", "num_rows": 1, "columns": [{"name": "a"}, {"name": "b"}]}
    preview = {"columns": ["a", "b"], "rows": [[1, 2]]}
    return ParsedTable(facts, preview, num_rows=1, num_columns=2, modality="table", sha256="f" * 64, size_bytes=99)


@pytest.fixture
def make_ready(store: Store, parsed: ParsedTable) -> Callable[[str], None]:
    """Claims the only data set that waits, and makes it ready."""

    def make(dataset_id: str) -> None:
        claim = store.claim_dataset("wrk_1")
        assert claim is not None
        assert claim.id == dataset_id
        assert store.finish_dataset(claim, parsed)

    return make
