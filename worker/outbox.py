"""What a run writes to the store: in order, in batches, and kept while the database is away."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from jobs.errors import StoreUnavailableError
from jobs.logs import get_logger
from jobs.model import NewRecord
from jobs.store import Store
from worker.protocol import Wrote

_RETRY_S = 0.5
_log = get_logger(__name__)
T = TypeVar("T")


class Outbox:
    """The records of one job that the store has not taken yet.

    Args:
        store: Where they go.
        run_id: The fence that each write names.
        job_id: Whose records they are.
    """

    def __init__(self, store: Store, run_id: int, job_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._job_id = job_id
        self._waiting: list[NewRecord] = []
        self._retry_at = 0.0
        self._num_added = 0
        self.saved_step: int | None = None
        """Of the checkpoint that was among what was written last, if one was."""

    def add(self, wrote: Wrote) -> None:
        """Take a record from the runner."""
        self._add(wrote.kind, wrote.body, wrote.at)

    def add_warning(self, code: str, message: str) -> None:
        """Warn the user of something that the supervisor has seen."""
        self._add("warning", {"code": code, "message": message}, time.time())

    def add_log(self, lines: list[str]) -> None:
        """Take lines of the run's log."""
        at = time.time()
        for line in lines:
            self._add("log", {"message": line}, at)

    def _add(self, kind: str, body: dict[str, Any], at: float) -> None:
        self._num_added += 1
        self._waiting.append(NewRecord(kind, body, at, self._key(kind, body)))

    def _key(self, kind: str, body: dict[str, Any]) -> str:
        """What makes a record the same when it comes again: the first one stays.

        A run that goes over the same steps once more measures and warns the same; all else is this run's own, and may
        come again only where a commit was not heard of.
        """
        match kind:
            case "metrics":
                return f"step:{body['step']}"
            case "warning":
                return f"{body['code']}:{body['message']}"[:500]
        return f"{self._run_id}:{self._num_added}"

    def flush(self) -> bool:
        """Write what waits; if the database is away, keep it and try again at a later call.

        Returns:
            Whether anything was written.

        Raises:
            StaleRunError: The run is no longer the job's.
        """
        if not self._waiting or time.monotonic() < self._retry_at:
            return False
        try:
            self._store.append(self._run_id, self._job_id, self._waiting)
        except StoreUnavailableError:
            self._retry_at = time.monotonic() + _RETRY_S
            _log.warning("the database does not answer; the records wait", num_records=len(self._waiting))
            return False
        saved = [record.body["step"] for record in self._waiting if record.kind == "checkpoint"]
        self.saved_step = saved[-1] if saved else None
        self._waiting = []
        return True

    @property
    def empty(self) -> bool:
        return not self._waiting


def insist(write: Callable[[], T], until: float) -> T:
    """Do a write that must not be lost, again and again while the database is away.

    Args:
        write: It is safe to do twice, as every fenced write is.
        until: On the monotonic clock; beyond it the run's lease has passed, and another run may own the job.

    Raises:
        StoreUnavailableError: The database was away until then.
    """
    while True:
        try:
            return write()
        except StoreUnavailableError:
            if time.monotonic() >= until:
                raise
            time.sleep(_RETRY_S)
