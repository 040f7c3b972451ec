"""Content negotiation: `Accept`, and 406 if the client accepts no representation."""

import math
from collections.abc import Sequence

from fastapi import Request

from api.http.errors import ParameterError, ProblemError

JSON = "application/json"


def negotiate(request: Request, offers: Sequence[str]) -> str:
    """Return the offer that the client prefers; of equals the first.

    Raises:
        ProblemError: It accepts none of them.
    """
    accept = request.headers.get("accept", "*/*")
    ranges = [_parse(part) for part in accept.split(",") if part.strip()] or [("*/*", 1.0)]
    best = max(offers, key=lambda offer: _quality(offer, ranges))
    if _quality(best, ranges) <= 0:
        detail = f"Accept must allow one of {', '.join(offers)}; received {accept!r:.100}."
        raise ProblemError("not_acceptable", detail, [ParameterError("Accept", "not_acceptable", detail)])
    return best


def json_only(request: Request) -> None:
    """Refuse a client that does not accept JSON, if there is nothing else."""
    negotiate(request, [JSON])


def _parse(part: str) -> tuple[str, float]:
    media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                quality = float(parameter[2:])
            except ValueError:
                quality = 0.0
            return media_range, min(max(quality, 0.0), 1.0) if math.isfinite(quality) else 0.0
    return media_range, 1.0


def _quality(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    """The quality of the most specific range that contains the offer."""
    for wanted in (offer, offer.split("/")[0] + "/*", "*/*"):
        for media_range, quality in ranges:
            if media_range == wanted:
                return quality
    return 0.0
