"""Header fields and targets as routes read them, whichever of its spellings a client has chosen."""

import re
from collections import Counter
from collections.abc import Iterable
from urllib.parse import unquote

from starlette.types import Scope

from api.http.errors import ParameterError, ProblemError

_LISTS = frozenset({b"accept", b"content-encoding", b"if-match", b"if-none-match"})
"""Fields that may come on several lines, which are one list (RFC 9110, §5.3)."""

_SINGLE = {
    name.lower().encode(): name
    for name in (
        "Authorization",
        "Content-Type",
        "Idempotency-Key",
        "If-Modified-Since",
        "If-Range",
        "If-Unmodified-Since",
        "Last-Event-ID",
        "Origin",
        "Range",
        "Sec-Fetch-Site",
    )
}
"""Fields that may come once: of two, a proxy may go by another one than we do."""

_WHOLE_URL = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE)

Headers = Iterable[tuple[bytes, bytes]]


def in_one_form(scope: Scope) -> Scope:
    """The request with each list on one line, and a path as its target.

    A client may send the whole URL, as to a proxy; its host then counts in place of `Host` (RFC 9112, §3.2.2).
    """
    headers = list(_joined(scope["headers"]))
    found = _WHOLE_URL.fullmatch(scope.get("raw_path", b""))
    if found is None:
        return {**scope, "headers": headers}
    path = found[2] or b"/"
    headers = [(b"host", found[1]), *((name, value) for name, value in headers if name != b"host")]
    return {**scope, "path": unquote(path.decode("latin-1")), "raw_path": path, "headers": headers}


def refuse_doubled(headers: Headers) -> ProblemError | None:
    """Return why headers are refused of which one comes twice that may come once, or None."""
    counts = Counter(name for name, _ in headers)
    wrong = [
        ParameterError(shown, "given_twice", f"{shown} may come once; received {counts[name]}. Keep one of them.")
        for name, shown in _SINGLE.items()
        if counts[name] > 1
    ]
    return ProblemError("bad_request", wrong[0].message, wrong) if wrong else None


def _joined(headers: Headers) -> Headers:
    lists: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in _LISTS:
            lists.setdefault(name, []).append(value)
        else:
            yield name, value
    for name, values in lists.items():
        yield name, b", ".join(values)
