"""Conditional requests: `ETag` and `Last-Modified`, and what a client asks to hold for them (RFC 9110, §13)."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Annotated

from fastapi import Depends, Request, Response

from api.http.errors import ParameterError, ProblemError
from jobs.model import Dataset, Job

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_VERSION = re.compile(r'"(\d{1,18})"', re.ASCII)
_VERSIONED = frozenset({"job_id", "dataset_id"})
"""Parameters of paths that name something with versions."""
_TAG = re.compile(r'(?:W/)?"[^"]*"|[^\s,]+')


def etag_of(row: Job | Dataset) -> str:
    """Return the tag of a job or data set as it is: another one after every change but a heartbeat."""
    return f'"{row.version}"'


def is_known(request: Request, etag: str, modified_at: float | None = None) -> bool:
    """Say whether the client has this version already: 304.

    Args:
        request: With its conditions, in the order of precedence of §13.2.2.
        etag: Of what would be sent.
        modified_at: When that was last changed, where it is a file.

    Raises:
        ProblemError: The client wants this only as long as it is another version: 412.
    """
    headers = request.headers
    if "if-match" in headers:
        _refuse_unless_match(headers["if-match"], etag)
    elif modified_at is not None and not _is_since(headers.get("if-unmodified-since"), modified_at, default=True):
        raise _changed("If-Unmodified-Since", headers["if-unmodified-since"])
    if "if-none-match" in headers:
        # Weak tags compare here as their strong ones do (§8.8.3.2).
        tags = [tag.removeprefix("W/") for tag in _TAG.findall(headers["if-none-match"])]
        return "*" in tags or etag in tags
    return modified_at is not None and _is_since(headers.get("if-modified-since"), modified_at, default=False)


def not_modified(request: Request, response: Response, row: Job | Dataset) -> Response | None:
    """The answer 304 if the client has this version of a job or data set; else None, with the tag in the response.

    Raises:
        ProblemError: The client wants this only as long as it is another version: 412.
    """
    headers = {"ETag": etag_of(row), "Cache-Control": "private, no-cache"}
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return None


def read_versions(request: Request) -> frozenset[int] | None:
    """Return the versions of a job or data set that the client wants to change, by `If-Match`; None for any.

    The store compares them in the transaction of the change.
    """
    tags = _TAG.findall(request.headers.get("if-match", "*"))
    if "*" in tags:
        return None
    return frozenset(int(found[1]) for found in map(_VERSION.fullmatch, tags) if found)


TheVersions = Annotated[frozenset[int] | None, Depends(read_versions)]
"""The versions that the client wants to change, as a route's parameter."""


def refuse_versions(request: Request) -> None:
    """Refuse `If-Match` for what has no versions, unless it is `*`: only jobs and data sets have some.

    Raises:
        ProblemError: It names a version.
    """
    if request.method not in SAFE_METHODS and _VERSIONED.isdisjoint(request.path_params):
        _refuse_unless_match(request.headers.get("if-match", "*"), None)


def _refuse_unless_match(given: str, etag: str | None) -> None:
    tags = _TAG.findall(given)  # weak ones match nothing (§13.1.1)
    if "*" not in tags and etag not in tags:
        raise _changed("If-Match", given)


def _is_since(given: str | None, modified_at: float, *, default: bool) -> bool:
    """Whether a file is no newer than a date in a header; the default where there is no header, or no date in it."""
    try:
        date = parsedate_to_datetime(given or "")
    except ValueError:
        return default
    return int(modified_at) <= date.replace(tzinfo=date.tzinfo or UTC).timestamp()


def _changed(header: str, given: str) -> ProblemError:
    detail = f"{header} is {given!r:.100}, and that is not how it is now. Read it again, and decide anew."
    return ProblemError("precondition_failed", detail, [ParameterError(header, "precondition_failed", detail)])
