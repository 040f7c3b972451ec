"""The policy of retries: which failures are retried, after which delay, and when to give up.

Requests, streams, downloads and waits all use it.
"""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from regclient.errors import RegClientError, UsageError, WaitTimeoutError
from regclient.http.deadline import current_deadline

FIRST_DELAY_S = 0.2
MAX_DELAY_S = 10.0
MAX_RETRY_AFTER_S = 60.0
PATIENCE_S = 120.0
"""How long a wait for a job's end tolerates an absent server: a restart takes seconds, and the job goes on."""

_system_random = random.SystemRandom()  # not `random`, because forked children would share its state and retry in step
_COME_BACK = frozenset({408, 429, 502, 503, 504})


class Interruption(Exception):
    """No answer came, or one that asks for a retry.

    Attributes:
        error: The error to raise if there is no retry.
        retry_after_s: The delay that the server asked for, if it did.
    """

    def __init__(self, error: RegClientError, retry_after_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after_s = retry_after_s


class Attempts:
    """Counts consecutive failures, and waits after each, longer every time.

    Args:
        url: The server, for messages.
        max_retries: How many consecutive failures are retried.
        patience_s: Retry beyond `max_retries` until failures have lasted this long; not if `max_retries` is 0.
        sleep: The function that waits.
    """

    def __init__(
        self,
        url: str,
        max_retries: int,
        *,
        patience_s: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.num_failures = 0
        self._url = url
        self._max_retries = max_retries
        self._patience_s = patience_s if max_retries else 0.0
        self._sleep = sleep
        self._failing_since = 0.0

    def succeeded(self) -> None:
        """Reset the count."""
        self.num_failures = 0

    def failed(self, interruption: Interruption) -> None:
        """Wait before the next try, or give up.

        Raises:
            WaitTimeoutError: The current deadline has passed.
            RegClientError: No retry is left; this is the interruption's own error.
        """
        deadline = current_deadline()
        if deadline.answer_left_s <= 0 or (self.num_failures and deadline.left_s <= 0):
            raise WaitTimeoutError(None, None, deadline.timeout_s, url=self._url) from interruption.error
        now = time.monotonic()
        if self.num_failures == 0:
            self._failing_since = now
        if self.num_failures >= self._max_retries and now - self._failing_since >= self._patience_s:
            raise interruption.error from interruption.error.__cause__
        self.pause(interruption.retry_after_s)

    def pause(self, retry_after_s: float | None = None) -> None:
        """Wait before the next try, longer each time, without checking whether one is left."""
        deadline = current_deadline()
        deadline.pause(retry_after_s or backoff_s(self.num_failures), self._sleep)
        self.num_failures += 1


def checked_max_retries(max_retries: object) -> int:
    """Return the number of retries.

    Raises:
        UsageError: It is not a whole number, 0 or more.
    """
    if isinstance(max_retries, int) and not isinstance(max_retries, bool) and max_retries >= 0:
        return max_retries
    raise UsageError(f"max_retries: expected a whole number, 0 or more; received {max_retries!r}.")


def backoff_s(attempt: int) -> float:
    """Double from FIRST_DELAY_S up to MAX_DELAY_S, ±25 % so that many clients do not retry together."""
    jitter = _system_random.uniform(0.75, 1.25)
    return min(MAX_DELAY_S, FIRST_DELAY_S * 2.0 ** min(attempt, 10)) * jitter


def asks_to_come_back(response: httpx2.Response) -> bool:
    """Whether the answer asks for a retry.

    A 409 does so only with Retry-After: the first request with this Idempotency-Key is then still in progress.
    """
    return response.status_code in _COME_BACK or (response.status_code == 409 and "Retry-After" in response.headers)


def retry_after_s(response: httpx2.Response) -> float | None:
    """Return the delay of Retry-After, given in seconds or as a date, at most MAX_RETRY_AFTER_S; None without one."""
    said = response.headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return min(MAX_RETRY_AFTER_S, float(said[:9]))
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000" means UTC with an unknown local time zone
        moment = moment.replace(tzinfo=UTC)
    return min(MAX_RETRY_AFTER_S, max(0.0, (moment - datetime.now(UTC)).total_seconds()))
