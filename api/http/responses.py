"""Responses in the OpenAPI document: the problems of each operation, and examples."""

from collections.abc import Iterable
from typing import Any, Final

from api.http.errors import PROBLEM_MEDIA_TYPE, PROBLEMS
from api.http.schemas import Problem

Responses = dict[int | str, dict[str, Any]]

_EVERYWHERE = (
    "unauthorized",
    "foreign_origin",
    "not_acceptable",
    "invalid_parameter",
    "internal_error",
    "unavailable",
    "disk_full",
)

JSON_BODY: Final = (
    "invalid_json",
    "idempotency_busy",
    "precondition_failed",
    "body_too_large",
    "unsupported_media_type",
    "invalid_spec",
    "invalid_body",
    "idempotency_mismatch",
)
"""The problems of an operation that takes a spec as JSON and may be repeated under a key."""


def problems(*codes: str, everywhere: Iterable[str] = _EVERYWHERE) -> Responses:
    """Return the problems of an operation, in addition to those of every operation."""
    by_status: Responses = {}
    for code in (*everywhere, *codes):
        kind = PROBLEMS[code]
        entry = by_status.setdefault(
            kind.status,
            {"model": Problem, "description": kind.title, "content": {PROBLEM_MEDIA_TYPE: {"examples": {}}}},
        )
        entry["content"][PROBLEM_MEDIA_TYPE]["examples"][code] = {"value": _example(code)}
    return by_status


def example(status: int, value: Any, description: str = "As asked", **more: Any) -> Responses:
    """Return a response with an example; ``more`` are other fields of the OpenAPI response object."""
    return {status: {"description": description, "content": {"application/json": {"example": value}}, **more}}


def _example(code: str) -> dict[str, Any]:
    kind = PROBLEMS[code]
    return {
        "type": f"urn:regcore:problem:{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": f"{kind.title}.",
        "instance": "/v1/jobs",
        "request_id": "req_01KAR4JQ4Z2V7M3X9D5T8H6B1C",
        "errors": [],
    }
