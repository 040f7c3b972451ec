"""Helpers for tests of a supervisor: run it on a thread, wait for a state, read a stored file."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from jobs.model import Job, Settlement
from jobs.states import JobState
from jobs.store import Store
from worker.surroundings import Surroundings

_PATIENCE_S = 30.0


def in_background(action: Callable[..., object], *args: object) -> threading.Thread:
    thread = threading.Thread(target=action, args=args)
    thread.start()
    return thread


def wait_for_state(store: Store, job: Job, *states: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while store.state(job.tenant, job.id) not in states:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def text_of(around: Surroundings, job: Job, name: str) -> str:
    row = around.store.artifact(job.tenant, job.id, name)
    return around.artifacts.path(row.sha256).read_text()


def states(store: Store, jobs: list[Job]) -> list[str]:
    return [store.state(job.tenant, job.id).value for job in jobs]


def reasons(store: Store, jobs: list[Job]) -> list[str | None]:
    return [(store.get(job.tenant, job.id).state_reason or {}).get("code") for job in jobs]


def num_runs(store: Store) -> int:
    with store._database.read() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM runs").scalar_one()


def group_ids(store: Store) -> list[str | None]:
    with store._database.read() as connection:
        return connection.exec_driver_sql("SELECT group_id FROM jobs ORDER BY id").scalars().all()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alone(store: Store, job: Job) -> bool:
    with store._database.read() as connection:
        row = connection.exec_driver_sql(f"SELECT alone, group_id FROM jobs WHERE id = '{job.id}'").one()
    return (bool(row.alone), row.group_id) == (True, None)


def note_settled(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Record the ids of the jobs that each transaction ends."""
    settled = []
    settle = store.settle

    def noting(run_id: int, ends: Sequence[Settlement]) -> dict[str, JobState]:
        settled.append([end.job_id for end in ends])
        return settle(run_id, ends)

    monkeypatch.setattr(store, "settle", noting)
    return settled


def folders(surroundings: Surroundings, pattern: str) -> list[Path]:
    root = surroundings.settings.checkpoints_dir
    return [path for path in root.rglob(pattern) if path.is_dir()]


def run_ids_of(store: Store) -> list[int]:
    with store._database.read() as connection:
        return connection.exec_driver_sql("SELECT id FROM runs ORDER BY id").scalars().all()
