"""`ETag` and `If-None-Match`."""

from fastapi import Request


def matches(request: Request, etag: str) -> bool:
    """Say whether the client has this version already; weak tags compare as their strong ones do (RFC 9110 §13.1.2)."""
    given = request.headers.get("if-none-match")
    if given is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in given.split(",")]
    return "*" in tags or etag in tags
