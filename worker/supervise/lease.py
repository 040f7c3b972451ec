"""A run's lease: until when it may write, and retrying writes until then."""

import time
from collections.abc import Callable
from typing import TypeVar

from jobs.errors import StaleRunError, StoreUnavailableError
from jobs.store import Store
from worker.protocol import Renew
from worker.retrying import insist
from worker.supervise.process import RunnerProcess

T = TypeVar("T")


class LeaseLostError(Exception):
    """The job belongs to another run, or may: this run writes nothing more."""


class Lease:
    """Renews a run's lease and tells its runner, which ends by itself when it hears of no renewal.

    Args:
        store: Where to renew it.
        run_id: The fence.
        runner: Is told of each renewal.
        lease_s: Its length; it is renewed every third of it.
        claimed_at: When it began, on the monotonic clock.
    """

    def __init__(self, store: Store, run_id: int, runner: RunnerProcess, lease_s: float, claimed_at: float) -> None:
        self._store = store
        self._run_id = run_id
        self._runner = runner
        self._length_s = lease_s
        self._deadline = claimed_at + lease_s
        self._renew_at = claimed_at + lease_s / 3

    @property
    def until(self) -> float:
        """When the lease ends unless it is renewed, on the monotonic clock."""
        return self._deadline

    def renew_if_due(self) -> None:
        """Renew it every third of its length. Raises as `renew` does."""
        if time.monotonic() >= self._renew_at:
            self.renew()

    def renew(self) -> None:
        """Renew it now; while the database is away, keep the present end.

        Raises:
            StaleRunError: The run has ended.
            StoreUnavailableError: The database is away, and the lease has passed.
        """
        now = time.monotonic()
        try:
            renewed = self._store.renew(self._run_id, self._length_s)
        except StoreUnavailableError:
            if now >= self._deadline:
                raise
            return
        if not renewed:
            raise StaleRunError(self._run_id, "all of its jobs")
        self._deadline = now + self._length_s
        self._renew_at = now + self._length_s / 3
        self._runner.send(Renew(self._deadline))

    def insist(self, write: Callable[[], T]) -> T:
        """Call `retrying.insist` for as long as the lease lasts."""
        return insist(write, self._deadline)
