"""A database that is away for ten seconds, under a lease that is longer."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator

import psycopg
import pytest
from live_stack import LiveStack, live_stack

pytestmark = pytest.mark.timeout(240)

OUTAGE_S = 10.0


@pytest.fixture
def stack(database_url: str | None, tmp_path) -> Iterator[LiveStack]:
    with live_stack(tmp_path, database_url, lease_s=30, reconcile_interval_s=0.5) as stack:
        yield stack


@contextlib.contextmanager
def outage(stack: LiveStack, database_url: str | None) -> Iterator[None]:
    """Let nobody write (SQLite), or nobody in (PostgreSQL), for ten seconds."""
    until = time.monotonic() + OUTAGE_S
    if database_url is None:
        with contextlib.closing(sqlite3.connect(stack.data_dir / "regcore.db", timeout=30)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            yield
            time.sleep(max(0.0, until - time.monotonic()))
            holder.execute("ROLLBACK")
        return
    server, name = database_url.rsplit("/", 1)
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        yield
        time.sleep(max(0.0, until - time.monotonic()))
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def test_a_database_that_is_away_stops_no_run_and_loses_nothing(stack, database_url, make_spec, check_promise):
    spec = make_spec(epochs=400)
    job_id = stack.submit(spec)
    stack.wait_for_step(job_id, 50)

    with outage(stack, database_url):
        refused = stack.client.post("/v1/jobs", json=make_spec(epochs=1))
    job = stack.wait(job_id, "succeeded")

    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
    assert int(refused.headers["Retry-After"]) > 0
    assert job["attempt"] == 1
    check_promise(job)
