"""`Range`: which part of a file is sent (RFC 9110, §14). Starlette's FileResponse sends it."""

import re

from fastapi import Request

from api.http.errors import ParameterError, ProblemError

_HEADER = "range"
_UNIT = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=")
_BYTES = re.compile(r"bytes=\s*(\d*-\d*(?:\s*,\s*\d*-\d*)*)\s*", re.IGNORECASE)
_MAX_DIGITS = 18
_MAX_PARTS = 20
"""Of one answer: many small parts cost a server more than the whole file (§14.2)."""


def settle_range(request: Request, size_bytes: int) -> None:
    """Leave of `Range` what FileResponse is to send: the parts that lie in the file, or nothing for the whole of it.

    Raises:
        ProblemError: It cannot be read, as 400; or no part lies in the file, as 416 with the file's size.
    """
    given = request.headers.get(_HEADER)
    if given is None:
        return
    parts = _parts_inside(given, size_bytes)
    kept = [(name, value) for name, value in request.scope["headers"] if name != _HEADER.encode()]
    if parts and len(parts) <= _MAX_PARTS:
        kept.append((_HEADER.encode(), f"bytes={','.join(parts)}".encode()))
    request.scope["headers"] = kept


def _parts_inside(header: str, size_bytes: int) -> list[str]:
    """The parts that lie in the file; none where the unit is another than bytes, which is as if nothing was asked."""
    unit = _UNIT.match(header)
    if unit and unit[1].lower() != "bytes":
        return []
    found = _BYTES.fullmatch(header)
    if not found:
        raise _malformed(header)
    parts = [part.strip() for part in found[1].split(",")]
    inside = [part for part in parts if _starts_at(part, size_bytes, header) < size_bytes]
    if not inside:
        detail = f"The file has {size_bytes} bytes; received Range {header!r:.80}. Ask for bytes inside it."
        wrong = ParameterError("Range", "range_not_satisfiable", detail)
        raise ProblemError("range_not_satisfiable", detail, [wrong], {"Content-Range": f"bytes */{size_bytes}"})
    return inside


def _starts_at(part: str, size_bytes: int, header: str) -> int:
    first, last = part.split("-")
    if (not first and not last) or max(len(first), len(last)) > _MAX_DIGITS:
        raise _malformed(header)
    if first and last and int(first) > int(last):
        raise _malformed(header)
    return int(first) if first else max(size_bytes - int(last), 0)


def _malformed(header: str) -> ProblemError:
    detail = f"Range must be bytes=first-last, bytes=first- or bytes=-length; received {header!r:.80}. Correct it."
    return ProblemError("invalid_range", detail, [ParameterError("Range", "invalid_range", detail)])
