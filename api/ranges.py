"""`Range`, as far as it must be refused; what can be served, Starlette's FileResponse serves."""

import re

from api.errors import ParameterError, ProblemError

_BYTES = re.compile(r"bytes=\s*(\d*-\d*(?:\s*,\s*\d*-\d*)*)\s*", re.IGNORECASE)
_MAX_DIGITS = 18


def check_range(header: str, size_bytes: int) -> None:
    """Refuse a range that cannot be read, or that lies outside the file.

    Raises:
        ProblemError: As 400, or as 416 with the file's size.
    """
    found = _BYTES.fullmatch(header)
    if not found:
        raise _malformed(header)
    for part in found[1].split(","):
        first, last = part.strip().split("-")
        if (not first and not last) or max(len(first), len(last)) > _MAX_DIGITS:
            raise _malformed(header)
        start = int(first) if first else max(size_bytes - int(last), 0)
        if first and last and int(first) > int(last):
            raise _malformed(header)
        if start >= size_bytes:
            detail = f"The file has {size_bytes} bytes; received Range {header!r:.80}. Ask for bytes inside it."
            wrong = ParameterError("Range", "range_not_satisfiable", detail)
            content_range = {"Content-Range": f"bytes */{size_bytes}"}
            raise ProblemError("range_not_satisfiable", detail, [wrong], content_range)


def _malformed(header: str) -> ProblemError:
    detail = f"Range must be bytes=first-last, bytes=first- or bytes=-length; received {header!r:.80}. Correct it."
    return ProblemError("invalid_range", detail, [ParameterError("Range", "invalid_range", detail)])
