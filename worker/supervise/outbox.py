"""A run's writes to the store: in order, in batches, and kept while the database is away."""

import time
from collections.abc import Sequence
from typing import Any

from jobs.errors import StoreUnavailableError
from jobs.logs import get_logger
from jobs.model import NewRecord
from jobs.store import Store
from worker.protocol import Saved, Wrote
from worker.retrying import RETRY_S

_log = get_logger(__name__)


class Outbox:
    """The records of a run's jobs that the store has not taken yet.

    Args:
        store: Where they go.
        run_id: The fence that each write names.
    """

    def __init__(self, store: Store, run_id: int) -> None:
        self._store = store
        self._run_id = run_id
        self._waiting: dict[str, list[NewRecord]] = {}
        self._retry_at = 0.0
        self._num_added = 0
        self._saved: Saved | None = None
        self.accepted: Saved | None = None
        """The newest checkpoint of the whole run in the last write, if there was one."""

    def add(self, wrote: Wrote) -> None:
        """Take a record from the runner."""
        self._add(wrote.job_id, wrote.kind, wrote.body, wrote.at)

    def add_saved(self, saved: Saved, job_ids: Sequence[str]) -> None:
        """Take a checkpoint of the whole run, for its unfinished jobs."""
        for job_id in job_ids:
            self._add(job_id, "checkpoint", saved.body, saved.at)
            self._saved = saved

    def add_warning(self, job_id: str, code: str, message: str) -> None:
        """Add a warning by the supervisor."""
        self._add(job_id, "warning", {"code": code, "message": message}, time.time())

    def add_log(self, job_id: str, lines: list[str]) -> None:
        """Take lines of a job's log."""
        at = time.time()
        for line in lines:
            self._add(job_id, "log", {"message": line}, at)

    def _add(self, job_id: str, kind: str, body: dict[str, Any], at: float) -> None:
        self._num_added += 1
        self._waiting.setdefault(job_id, []).append(NewRecord(kind, body, at, self._key(kind, body)))

    def _key(self, kind: str, body: dict[str, Any]) -> str:
        """The key by which a repeated record is recognized; the store keeps the first.

        A run that repeats steps repeats their metrics and warnings, so their keys name the step. All other records
        belong to this run, and repeat only if a commit got no answer.
        """
        match kind:
            case "metrics":
                return f"step:{body['step']}"
            case "warning":
                return f"{body['code']}:{body['message']}"[:500]
        return f"{self._run_id}:{self._num_added}"

    def flush(self) -> list[str]:
        """Write what waits; if the database is away, keep it for a later call.

        Returns:
            The jobs for which something was written.

        Raises:
            StaleRunError: The run is no longer the current one of one of the jobs.
        """
        if not self._waiting or time.monotonic() < self._retry_at:
            return []
        try:
            self._store.append_all(self._run_id, self._waiting)
        except StoreUnavailableError as error:
            self._retry_at = time.monotonic() + RETRY_S
            _log.warning("the database cannot be used; the records wait", num_jobs=len(self._waiting), why=error.outage)
            return []
        written, self._waiting = self._waiting, {}
        self.accepted, self._saved = self._saved, None
        return list(written)

    @property
    def empty(self) -> bool:
        return not self._waiting
