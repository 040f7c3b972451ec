"""A job's log as server-sent events, read from the rows; wake-ups only tell when to read."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import format_sse_event

from api.jobs.schemas import show_event
from api.services import Services
from jobs.errors import JobNotFoundError, StoreUnavailableError
from jobs.model import RecordRow
from jobs.states import TERMINAL

COMMENT_EVERY_S = 15.0
RECONNECT_AFTER_MS = 1000

_POLL_S = 2.0
_READ_AT_ONCE = 500


@dataclass(slots=True)
class EventStream:
    """The live log of one job, from after `after` to its terminal event."""

    services: Services
    tenant: str
    job_id: str
    after: int

    def has_ended(self) -> bool:
        """Return whether the client has already received the terminal event.

        Raises:
            JobNotFoundError: There is no such job.
        """
        store = self.services.store
        if store.state(self.tenant, self.job_id) not in TERMINAL:
            return False
        return not store.records(self.tenant, self.job_id, self.after, 1, kinds=["state"])

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield events, and a comment after a while of silence, so that proxies keep the connection."""
        yield format_sse_event(comment="the job's log follows", retry=RECONNECT_AFTER_MS)
        spoke_at = time.monotonic()
        async with self.services.wakeups.listen(self.job_id) as listener:
            while True:
                rows, has_ended = await self._read()
                for row in rows:
                    yield _write(row)
                    self.after = row.seq
                if has_ended or self.services.shutdown.requested:
                    return
                now = time.monotonic()
                if rows:
                    spoke_at = now
                elif now - spoke_at >= COMMENT_EVERY_S:
                    yield format_sse_event(comment="still here")
                    spoke_at = now
                if len(rows) < _READ_AT_ONCE:
                    # Wake-ups may be lost, so a wait is never long.
                    await listener.wait(min(_POLL_S, max(0.01, spoke_at + COMMENT_EVERY_S - now)))

    async def _read(self) -> tuple[list[RecordRow], bool]:
        """Return new records, and whether they are the last: the job has ended, or was deleted."""
        try:
            return await run_in_threadpool(self._read_rows)
        except StoreUnavailableError:
            return [], False  # Keep the stream: the client's place is known, and the database may come back.
        except JobNotFoundError:
            return [], True

    def _read_rows(self) -> tuple[list[RecordRow], bool]:
        # The state is read first: so if it is terminal, the log was read to its end.
        is_over = self.services.store.state(self.tenant, self.job_id) in TERMINAL
        rows = self.services.store.records(self.tenant, self.job_id, self.after, _READ_AT_ONCE)
        return rows, is_over and len(rows) < _READ_AT_ONCE


def _write(row: RecordRow) -> bytes:
    return format_sse_event(data_str=show_event(row).model_dump_json(), event=row.kind, id=str(row.seq))
