"""Conditional requests: `ETag` and `Last-Modified`, and what a client asks to hold for them (RFC 9110, §13)."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Annotated

from fastapi import Depends, Request

from api.auth import authenticate
from api.errors import ParameterError, ProblemError
from api.services import TheServices
from jobs.model import Job, Principal

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_TAG = re.compile(r'(?:W/)?"[^"]*"|[^\s,]+')


def etag_of(job: Job) -> str:
    """Return the tag of a job as it is: another one after every change but a heartbeat."""
    return f'"{job.version}"'


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


def hold_to_version(
    request: Request, services: TheServices, principal: Annotated[Principal | None, Depends(authenticate)]
) -> None:
    """Refuse to change what is another version than the client has seen, where it says which with `If-Match`.

    Only jobs have versions; anything else matches `*` alone.

    Raises:
        ProblemError: It is another version.
        JobNotFoundError: There is no such job.
    """
    given = request.headers.get("if-match")
    if given is None or principal is None or request.method in SAFE_METHODS:
        return
    job_id = request.path_params.get("job_id")
    _refuse_unless_match(given, None if job_id is None else etag_of(services.store.get(principal.tenant, job_id)))


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
