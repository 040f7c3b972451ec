"""Receiving a file: its body goes to the artifact store as it comes, under limits, and is hashed on the way."""

import asyncio
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from api.http.errors import RETRY_AFTER_S, ProblemError
from api.services import Services
from jobs.incoming import Incoming
from regcore.errors import FieldError

FORMATS = {
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/x-ndjson": "jsonl",
    "application/zip": "auto",
    "application/octet-stream": "auto",
    "application/gzip": "auto",
}
"""What a file of each media type is; `auto`: as its content says, which for bytes of any kind is NPZ."""
LEAST_PACE_BYTES = 65_536
"""An upload goes on as long as this much comes in each time of the server's patience."""

_CODINGS = frozenset({"", "identity", "gzip", "x-gzip"})
_WRITE_BYTES = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_LINGER_BYTES = 64_000_000
"""Of a refused body, up to this much is read and dropped behind the answer; else the connection closes."""


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file that the artifact store keeps."""

    sha256: str
    size_bytes: int


def format_of(request: Request) -> str:
    """Return which format the body is of, by its media type; gzip makes no difference.

    Raises:
        ProblemError: It is of none that is read here, or in a coding that is not.
    """
    given = request.headers.get("content-type", "")
    media_type = given.split(";")[0].strip().lower()
    if media_type not in FORMATS:
        known = ", ".join(FORMATS)
        detail = f"Content-Type must be one of {known}; received {media_type or 'none'!r:.100}."
        raise ProblemError("unsupported_media_type", detail, headers={"Accept": known})
    coding = request.headers.get("content-encoding", "").strip().lower()
    if coding not in _CODINGS:
        detail = f"A file may be sent as it is, or in gzip; received Content-Encoding {coding!r:.40}."
        raise ProblemError("unsupported_media_type", detail, headers={"Accept-Encoding": "gzip, identity"})
    return FORMATS[media_type]


async def receive_file(request: Request, services: Services) -> ReceivedFile:
    """Store the body as a file. Whatever goes wrong, nothing of it is left.

    Raises:
        ProblemError: It is too large, empty or too slow, or the disk is full.
        ClientDisconnect: The client has gone.
    """
    max_bytes = services.settings.max_dataset_bytes
    declared = request.headers.get("content-length", "")
    if declared.isdecimal():
        await run_in_threadpool(_refuse_size, int(declared), services)
    with _disk_full_told(), await run_in_threadpool(services.artifacts.receive) as incoming:
        await _write(request, incoming, max_bytes, services.settings.upload_patience_s)
        if not incoming.size_bytes:
            detail = "The body is empty. Send the file as the body."
            raise ProblemError("invalid_body", detail, [FieldError("", "empty_body", detail)])
        await run_in_threadpool(services.artifacts.keep, incoming)
        return ReceivedFile(incoming.sha256, incoming.size_bytes)


async def _write(request: Request, incoming: Incoming, max_bytes: int, patience_s: float) -> None:
    loop = asyncio.get_running_loop()
    waiting = bytearray()
    num_fast_bytes = 0
    try:
        async with asyncio.timeout(patience_s) as patience:
            async for chunk in request.stream():
                waiting += chunk
                num_fast_bytes += len(chunk)
                if incoming.size_bytes + len(waiting) > max_bytes:
                    raise _too_large(max_bytes, closes=True)
                if len(waiting) >= _WRITE_BYTES:
                    patience.reschedule(None)  # the client does not answer for a slow disk
                    await run_in_threadpool(incoming.write, waiting)
                    waiting = bytearray()
                    num_fast_bytes = LEAST_PACE_BYTES
                if num_fast_bytes >= LEAST_PACE_BYTES:
                    patience.reschedule(loop.time() + patience_s)
                    num_fast_bytes = 0
    except TimeoutError:
        received = incoming.size_bytes + len(waiting)
        detail = (
            f"In {patience_s:g} s fewer than {LEAST_PACE_BYTES:,} bytes of the body arrived, {received:,} so far. "
            "Nothing of it was kept. Send it again over a faster connection, or compressed by gzip."
        )
        raise ProblemError("body_too_slow", detail, headers={"Connection": "close"}) from None
    await run_in_threadpool(incoming.write, waiting)


def _refuse_size(declared_bytes: int, services: Services) -> None:
    max_bytes = services.settings.max_dataset_bytes
    if declared_bytes > max_bytes:
        raise _too_large(max_bytes, closes=declared_bytes > _LINGER_BYTES)
    free_bytes = services.artifacts.free_bytes()
    if declared_bytes > free_bytes:
        raise _disk_full(f"It has {free_bytes:,} bytes left, and the body has {declared_bytes:,}.")


def _too_large(max_bytes: int, *, closes: bool) -> ProblemError:
    detail = (
        f"The file may have at most {max_bytes:,} bytes. Send fewer rows or columns, or compress it by gzip; "
        "REGCORE_MAX_DATASET_BYTES is the server's limit."
    )
    wrong = [FieldError("", "body_too_large", detail)]
    return ProblemError("body_too_large", detail, wrong, {"Connection": "close"} if closes else None)


def _disk_full(said: str) -> ProblemError:
    detail = f"The server's disk for files is full. {said} Nothing of it was kept. The operator must free space."
    return ProblemError("disk_full", detail, headers={"Retry-After": str(RETRY_AFTER_S), "Connection": "close"})


@contextmanager
def _disk_full_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _disk_full("It had no room for the whole body.") from error
