"""One policy of retries: what is worth another try, how long to wait before it, and when to give up.

Requests, streams, downloads and waits all count their failures here.
"""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from regclient.deadline import current_deadline
from regclient.errors import RegClientError, UsageError, WaitTimeoutError

FIRST_DELAY_S = 0.2
MAX_DELAY_S = 10.0
MAX_RETRY_AFTER_S = 60.0
PATIENCE_S = 120.0
"""How long a wait for a job's end outlives a server that is away: its restart takes seconds, and the job goes on."""

_system_random = random.SystemRandom()  # of the system: the children of a fork would else come back in step
_COME_BACK = frozenset({408, 429, 502, 503, 504})


class Interruption(Exception):
    """No answer, or one that asks to come again.

    Attributes:
        error: What to raise if it is not tried again.
        retry_after_s: When the server wants to be asked again, if it says so.
    """

    def __init__(self, error: RegClientError, retry_after_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after_s = retry_after_s


class Attempts:
    """Counts failures in a row, and waits after each, longer every time.

    Args:
        url: The server, for messages.
        max_retries: How many failures in a row are followed by another try.
        patience_s: Go on beyond `max_retries` while it fails for no longer than this; not if `max_retries` is 0.
        sleep: What waits.
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
        """What fails next is a first failure."""
        self.num_failures = 0

    def failed(self, interruption: Interruption) -> None:
        """Wait before the next try, or give up.

        Raises:
            WaitTimeoutError: The deadline that holds here has passed.
            RegClientError: The interruption's own error: the last try is used up.
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
        """Wait before the next try, which is sure to come; longer each time."""
        deadline = current_deadline()
        deadline.pause(retry_after_s or backoff_s(self.num_failures), self._sleep)
        self.num_failures += 1


def checked_max_retries(max_retries: object) -> int:
    """The number itself.

    Raises:
        UsageError: It is none.
    """
    if isinstance(max_retries, int) and not isinstance(max_retries, bool) and max_retries >= 0:
        return max_retries
    raise UsageError(f"max_retries: expected a whole number, 0 or more; received {max_retries!r}.")


def backoff_s(attempt: int) -> float:
    """Double from FIRST_DELAY_S up to MAX_DELAY_S, ±25 % so that many clients do not come back as one."""
    jitter = _system_random.uniform(0.75, 1.25)
    return min(MAX_DELAY_S, FIRST_DELAY_S * 2.0 ** min(attempt, 10)) * jitter


def asks_to_come_back(response: httpx2.Response) -> bool:
    """Whether the same request may be answered otherwise a little later.

    409 only where it says when: the first try with this Idempotency-Key is then still being answered.
    """
    return response.status_code in _COME_BACK or (response.status_code == 409 and "Retry-After" in response.headers)


def retry_after_s(response: httpx2.Response) -> float | None:
    """What its Retry-After asks for, seconds or a date, within MAX_RETRY_AFTER_S; None if it does not."""
    said = response.headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return min(MAX_RETRY_AFTER_S, float(said[:9]))
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000": UTC that does not say where it was written
        moment = moment.replace(tzinfo=UTC)
    return min(MAX_RETRY_AFTER_S, max(0.0, (moment - datetime.now(UTC)).total_seconds()))
