"""What tests of a supervisor do beside it: let it run on a thread, wait for a state, read a stored file."""

import threading
import time
from collections.abc import Callable

from jobs.model import Job
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
