"""Reading a JSON body: checks of its type, size and syntax, and for values that no database or JSON can hold."""

import re
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from api.http.errors import ProblemError, from_spec_error
from api.services import TheServices
from regcore.errors import FieldError, JsonSyntaxError, JsonValueError, json_pointer
from regcore.json_text import read_json as read_text

_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s";]+)')
_DRAIN_BYTES = 64_000_000
"""A client does not read an answer while it sends: up to this much is read and dropped before a refusal."""


async def read_json(request: Request, services: TheServices) -> Any:
    """Return the body, which must be JSON.

    Raises:
        ProblemError: It is not JSON, is too large, or contains NaN, infinity, NUL or half a surrogate pair.
    """
    content = await _read(request, services.settings.max_body_bytes)
    return await run_in_threadpool(_parse, request, content)


async def read_json_or_nothing(request: Request, services: TheServices) -> Any:
    """Return the body as `read_json` does, and an empty one as an empty object."""
    content = await _read(request, services.settings.max_body_bytes)
    return await run_in_threadpool(_parse, request, content) if content.strip() else {}


async def read_nothing(request: Request, services: TheServices) -> None:
    """Check the body of an operation that takes none: it must be absent or an empty object.

    Raises:
        ProblemError: The body has content.
    """
    content = await _read(request, services.settings.max_body_bytes)
    body = parse_json(content) if content.strip() else {}
    if body != {}:
        names = list(body) if isinstance(body, dict) else []
        message = "This call takes no body. Send none, or {}."
        wrong = [FieldError(json_pointer([name]), "unknown_field", message) for name in names]
        raise ProblemError("invalid_body", message, wrong or [FieldError("", "unexpected_body", message)])


def parse_json(content: bytes) -> Any:
    """Parse JSON.

    Raises:
        ProblemError: It is not JSON, or contains a value that cannot be stored.
    """
    try:
        return read_text(content)
    except JsonSyntaxError as error:
        detail = f"The body is not valid JSON. {error}. Correct it and send it again."
        raise ProblemError("invalid_json", detail, [FieldError(error.pointer, "invalid_json", detail)]) from None
    except JsonValueError as error:
        raise from_spec_error(error, "invalid_body") from None


def _parse(request: Request, content: bytes) -> Any:
    given = request.headers.get("content-type", "").lower()
    media_type = given.split(";")[0].strip()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        detail = f"Content-Type must be application/json; received {media_type or 'none'!r:.100}."
        raise ProblemError("unsupported_media_type", detail, headers={"Accept": "application/json"})
    charset = _CHARSET.search(given)
    if charset and charset[1] not in ("utf-8", "utf8", "us-ascii"):
        detail = f"JSON is UTF-8; received charset {charset[1]!r:.40}. Send it as UTF-8, without charset."
        raise ProblemError("unsupported_media_type", detail, headers={"Accept": "application/json"})
    return parse_json(content)


def _refuse_coding(request: Request) -> None:
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        detail = f"Bodies are read as they are; received Content-Encoding {coding!r:.40}. Send it uncompressed."
        raise ProblemError("unsupported_media_type", detail, headers={"Accept-Encoding": "identity"})


async def _read(request: Request, max_bytes: int) -> bytes:
    _refuse_coding(request)
    detail = f"The body may have at most {max_bytes:,} bytes. Send less; REGCORE_MAX_BODY_BYTES is the server's limit."
    wrong = [FieldError("", "body_too_large", detail)]
    too_large = ProblemError("body_too_large", detail, wrong, {"Connection": "close"})  # the rest is not read
    # A client that expects 100 waits for a word before it sends; others hear only once they have sent.
    hears = request.headers.get("expect", "").lower() == "100-continue"
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > (max_bytes if hears else _DRAIN_BYTES):
        raise too_large
    content = bytearray()
    size_bytes = 0
    async for chunk in request.stream():
        size_bytes += len(chunk)
        if size_bytes <= max_bytes:
            content += chunk
        elif size_bytes > _DRAIN_BYTES:
            break
    if size_bytes > max_bytes:
        raise too_large
    return bytes(content)


TheJson = Annotated[Any, Depends(read_json)]
"""The body, as a route's parameter."""

TheJsonOrNothing = Annotated[Any, Depends(read_json_or_nothing)]
"""The body of a call that may come without one, as a route's parameter."""
