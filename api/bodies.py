"""Reading a JSON body: its type, its size, its syntax, and values that no database or JSON can hold."""

import json
import math
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, Request

from api.errors import ProblemError
from api.services import TheServices
from regcore.errors import FieldError
from regcore.spec import json_pointer

_DRAIN_BYTES = 64_000_000
"""A client that is still sending hears no answer: up to this much is read and dropped before the refusal."""

_MAX_DEPTH = 64

_Path = tuple[str | int, ...]


async def read_json(request: Request, services: TheServices) -> Any:
    """Return the body, which must be JSON.

    Raises:
        ProblemError: It is not, or is too large, or holds NaN, infinity, NUL or half a surrogate pair.
    """
    return _parse(request, await _read(request, services.settings.max_body_bytes))


async def read_json_or_nothing(request: Request, services: TheServices) -> Any:
    """Return the body as `read_json` does, and an empty one as an empty object."""
    content = await _read(request, services.settings.max_body_bytes)
    return _parse(request, content) if content.strip() else {}


async def read_nothing(request: Request, services: TheServices) -> None:
    """Read the body of an operation that takes none: nothing, or an empty object.

    Raises:
        ProblemError: There is something in it.
    """
    content = await _read(request, services.settings.max_body_bytes)
    body = parse_json(content) if content.strip() else {}
    if body != {}:
        names = list(body) if isinstance(body, dict) else []
        message = "This call takes no body. Send none, or {}."
        wrong = [FieldError(json_pointer([name]), "unknown_field", message) for name in names]
        raise ProblemError("invalid_body", message, wrong or [FieldError("", "unexpected_body", message)])


def parse_json(content: bytes) -> Any:
    """Return what the JSON says.

    Raises:
        ProblemError: It is not JSON, or holds a value that cannot be kept.
    """
    try:
        body = json.loads(content.decode(), object_pairs_hook=_unique)
    except RecursionError:
        raise _broken("It is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise _broken(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except ValueError as error:  # not UTF-8, a name that comes twice, a number of thousands of digits
        raise _broken(str(error)) from None
    wrong = list(_unfit(body, ()))
    if wrong:
        raise ProblemError("invalid_body", wrong[0].message, wrong)
    return body


def _parse(request: Request, content: bytes) -> Any:
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        detail = f"Content-Type must be application/json; received {media_type or 'none'!r:.100}."
        raise ProblemError("unsupported_media_type", detail, headers={"Accept": "application/json"})
    return parse_json(content)


async def _read(request: Request, max_bytes: int) -> bytes:
    detail = f"The body may have at most {max_bytes:,} bytes. Send less; REGCORE_MAX_BODY_BYTES is the server's limit."
    too_large = ProblemError("body_too_large", detail, [FieldError("", "body_too_large", detail)])
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > _DRAIN_BYTES:
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


def _broken(what: str) -> ProblemError:
    detail = f"The body is not valid JSON. {what}. Correct it and send it again."
    return ProblemError("invalid_json", detail, [FieldError("", "invalid_json", detail)])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"The name {twice!r:.80} comes twice in one object")
    return members


def _unfit(value: Any, path: _Path) -> Iterator[FieldError]:
    where = ".".join(map(str, path)) or "the body"
    if len(path) > _MAX_DEPTH:
        raise _broken("It is nested too deeply")
    if isinstance(value, float) and not math.isfinite(value):
        message = f"{where} must be a finite number; received {value}. Send a number, or null where it is allowed."
        yield FieldError(json_pointer(path), "not_finite", message)
    elif isinstance(value, str) and not _is_fit(value):
        message = f"{where} must be text without NUL and without half surrogate pairs. Remove them."
        yield FieldError(json_pointer(path), "invalid_text", message)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if not _is_fit(name):
                message = f"{where} has a name with NUL or half a surrogate pair. Remove it."
                yield FieldError(json_pointer(path), "invalid_text", message)
            yield from _unfit(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _unfit(inner, (*path, index))


def _is_fit(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


TheJson = Annotated[Any, Depends(read_json)]
"""The body, as a route's parameter."""

TheJsonOrNothing = Annotated[Any, Depends(read_json_or_nothing)]
"""The body of a call that may come without one, as a route's parameter."""
