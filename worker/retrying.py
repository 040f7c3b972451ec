"""Repeating a write while the database is away, for as long as nobody else may own what it is about."""

import time
from collections.abc import Callable
from typing import TypeVar

from jobs.errors import StoreUnavailableError

RETRY_S = 0.5
"""The time between two tries."""
T = TypeVar("T")


def insist(write: Callable[[], T], until: float) -> T:
    """Do a write that must not be lost, and repeat it while the database is away.

    Args:
        write: The write; safe to repeat if a commit got no answer.
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
            time.sleep(RETRY_S)
