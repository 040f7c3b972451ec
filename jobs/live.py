"""Wake-ups over Redis: "something about this job has changed". They are hints; the woken reader reads the rows.

Without Redis a listener still wakes, at intervals.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis
import redis.asyncio
from redis.exceptions import RedisError

from jobs.settings import Settings

_CHANNEL_PREFIX = "regcore:job:"
_NOTIFY_TIMEOUT_S = 0.3
_SILENCE_AFTER_FAILURE_S = 2.0
_RECONNECT_AFTER_S = 1.0
_POLL_S = 1.0

_logger = logging.getLogger(__name__)


class Notifier:
    """Sends wake-ups; may be shared between threads."""

    def __init__(self, settings: Settings) -> None:
        self._redis = redis.Redis.from_url(
            settings.redis_url,
            socket_timeout=_NOTIFY_TIMEOUT_S,
            socket_connect_timeout=_NOTIFY_TIMEOUT_S,
        )
        self._silent_until = 0.0

    def notify(self, *job_ids: str) -> bool:
        """Wake all listeners of these jobs, in one round trip; False if Redis is away.

        After a failure it does nothing for two seconds: a Redis that hangs must not slow down every write.
        """
        if time.monotonic() < self._silent_until:
            return False
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                for job_id in job_ids:
                    pipeline.publish(_CHANNEL_PREFIX + job_id, b"")
                pipeline.execute()
        except (RedisError, OSError) as error:
            self._silent_until = time.monotonic() + _SILENCE_AFTER_FAILURE_S
            _logger.warning("could not send %d wake-up(s): %s", len(job_ids), error)
            return False
        return True

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


class Listener:
    """One listener's wait for one job."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        """End the present wait, or else the next one."""
        self._event.set()

    async def wait(self, timeout_s: float) -> bool:
        """Return True once the job may have changed since the last wait, False after the timeout."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout_s)
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Wakeups:
    """Receives wake-ups over one Redis connection for the whole process, and passes them to listeners.

    Used from one event loop. Listen first, then read the rows, then wait: a change in between ends the wait.
    While Redis is away, every listener is woken once a second instead.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = settings.redis_url
        self._listeners: dict[str, set[Listener]] = {}
        self._receiver: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listen(self, job_id: str) -> AsyncIterator[Listener]:
        """Return a listener for a job."""
        if self._receiver is None:
            self._receiver = asyncio.create_task(self._receive_forever())
        listener = Listener()
        self._listeners.setdefault(job_id, set()).add(listener)
        try:
            yield listener
        finally:
            remaining = self._listeners[job_id]
            remaining.discard(listener)
            if not remaining:
                del self._listeners[job_id]

    async def wait(self, job_id: str, timeout_s: float) -> bool:
        """Wait once for a job; True if it may have changed."""
        async with self.listen(job_id) as listener:
            return await listener.wait(timeout_s)

    async def close(self) -> None:
        """Stop receiving."""
        if self._receiver is not None:
            self._receiver.cancel()
            await asyncio.gather(self._receiver, return_exceptions=True)
            self._receiver = None

    async def _receive_forever(self) -> None:
        while True:
            try:
                await self._receive()
            except (RedisError, OSError) as error:
                _logger.warning("no wake-ups from Redis: %s", error)
            self._wake_all()
            await asyncio.sleep(_RECONNECT_AFTER_S)

    async def _receive(self) -> None:
        async with (
            redis.asyncio.Redis.from_url(self._url, health_check_interval=10) as client,
            client.pubsub(ignore_subscribe_messages=True) as subscription,
        ):
            await subscription.psubscribe(_CHANNEL_PREFIX + "*")
            # Messages before the subscription are lost: wake everybody once.
            self._wake_all()
            while True:
                message = await subscription.get_message(timeout=_POLL_S)
                if message is not None:
                    self._wake(message["channel"].decode().removeprefix(_CHANNEL_PREFIX))

    def _wake(self, job_id: str) -> None:
        for listener in self._listeners.get(job_id, ()):
            listener.wake()

    def _wake_all(self) -> None:
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.wake()
