"""One deadline for requests, streams, downloads and waits: all of them stop when it passes."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from regclient.errors import UsageError

LAST_ANSWER_S = 1.0
"""The least time for the answer to a request, so that a wait of 0 s still asks once."""


class Deadline:
    """A moment at which waiting ends.

    Args:
        timeout_s: Seconds from now; None sets no limit.

    Raises:
        UsageError: It is negative, NaN or not a number.
    """

    def __init__(self, timeout_s: float | None = None) -> None:
        if timeout_s is not None and not _is_time(timeout_s):
            raise UsageError(f"timeout_s: expected seconds, 0 or more, or None for no end; received {timeout_s!r}.")
        self.timeout_s = math.inf if timeout_s is None else float(timeout_s)
        self._begun_at = time.monotonic()

    @property
    def left_s(self) -> float:
        """The time left for waiting; negative once it is over."""
        return self._begun_at + self.timeout_s - time.monotonic()

    @property
    def answer_left_s(self) -> float:
        """The time left for a request to be answered; negative once it is over."""
        return self._begun_at + max(self.timeout_s, LAST_ANSWER_S) - time.monotonic()

    def pause(self, pause_s: float, sleep: Callable[[float], None] = time.sleep) -> None:
        """Sleep, but not beyond the deadline."""
        sleep(max(0.0, min(pause_s, self.left_s)))


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


NO_DEADLINE = Deadline()
# A context variable, not a field of the client: each thread that uses the client has its own deadline.
_current: ContextVar[Deadline] = ContextVar("regclient_deadline", default=NO_DEADLINE)


def current_deadline() -> Deadline:
    """Return the deadline that applies here."""
    return _current.get()


@contextmanager
def within(deadline: Deadline) -> Iterator[Deadline]:
    """Apply this deadline to everything inside; an earlier one that applies already stays in force.

    Yields:
        The deadline that applies.
    """
    token = _current.set(min(_current.get(), deadline, key=lambda one: one.left_s))
    try:
        yield _current.get()
    finally:
        _current.reset(token)
