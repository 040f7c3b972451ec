"""The part of the contract about data sets, for the server that the client is tested against.

It reads a body as a service does, in pieces, and can be told to fail while it does.
"""

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

FORMATS = {
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/x-ndjson": "jsonl",
    "application/zip": "auto",
    "application/octet-stream": "auto",
}
INVALID = {
    "code": "ragged_row",
    "message": "Expected 3 cells, received 4.",
    "remedy": "Quote cells that hold a separator.",
    "retryable": False,
    "details": {"line": 7, "row": 6, "column": None},
}
COLUMNS = [
    {"name": "age", "type": "number", "num_missing": 2, "num_distinct": 30, "examples": ["41", "7"]},
    {"name": "city", "type": "category", "num_missing": 0, "num_distinct": 3, "examples": ["Oslo", "Bergen"]},
]
WARNINGS = [{"code": "encoding_guessed", "message": "Read as Latin-1.", "remedy": "Save it as UTF-8.", "column": None}]
PREVIEW = {"columns": ["age", "city"], "rows": [[41, "Oslo"], [None, "Bergen"]]}


@dataclass
class FakeDatasets:
    """What was uploaded, and what goes wrong."""

    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    received: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Bytes and headers of each whole body that arrived."""
    num_begun: int = 0
    """Uploads that were begun, whole or not."""
    num_looks: int = 0
    """How often a set is seen `validating` before it is ready."""
    invalid: bool = False
    break_off_after_bytes: list[int] = field(default_factory=list)
    """The next uploads are answered 503 after so many bytes."""
    is_stalled: bool = False
    """Whether bodies are not read on."""
    lose_answers: int = 0
    """Uploads that are kept, but whose answer is 503."""


def add_datasets(app: FastAPI, fake: FakeDatasets) -> None:
    """Add the paths under `/v1/datasets` to a server."""

    @app.post("/v1/datasets")
    async def upload(request: Request) -> Response:
        fake.num_begun += 1
        limit = fake.break_off_after_bytes.pop(0) if fake.break_off_after_bytes else None
        digest, size_bytes = hashlib.sha256(), 0
        try:
            async for piece in request.stream():
                digest.update(piece)
                size_bytes += len(piece)
                while fake.is_stalled:
                    await asyncio.sleep(0.01)
                if limit is not None and size_bytes >= limit:
                    return _problem(503, "unavailable", "The store is away.")
        except ClientDisconnect:
            return Response(status_code=400)
        fake.received.append((size_bytes, dict(request.headers)))
        query = request.query_params
        header, format = query.get("header", "auto"), FORMATS[request.headers["content-type"]]
        found = _equal(sha256=digest.hexdigest(), header=header, format=format)
        is_new = found is None
        if found is None:
            found = {
                "id": f"ds_{len(fake.bodies):026}",
                "name": query.get("name"),
                "header": header,
                "format": format,
                "sha256": digest.hexdigest(),
                "size_bytes": size_bytes,
                "state": "validating",
                "state_reason": None,
                "num_rows": None,
                "modality": None,
                "columns": [],
                "warnings": [],
                "created_at": "2026-11-23T07:41:09.123Z",
                "looks": fake.num_looks,
            }
            fake.bodies[found["id"]] = found
        if fake.lose_answers:
            fake.lose_answers -= 1
            return _problem(503, "unavailable", "Away.", {"Retry-After": "0"})
        return JSONResponse(_seen(found), 202 if is_new else 200)

    @app.get("/v1/datasets")
    async def listing(
        sha256: str | None = None, name: str | None = None, limit: int = 50, after: int = 0
    ) -> dict[str, Any]:
        found = [body for body in reversed(fake.bodies.values()) if sha256 in (None, body["sha256"])]
        found = [body for body in found if name in (None, body["name"])]
        page = [{k: v for k, v in _seen(body).items() if k not in ("columns", "warnings")} for body in found]
        more = after + limit < len(page)
        return {
            "data": page[after : after + limit],
            "next_after": str(after + limit) if more else None,
            "has_more": more,
        }

    @app.get("/v1/datasets/{dataset_id}")
    async def get(dataset_id: str) -> Any:
        if dataset_id not in fake.bodies:
            return _problem(404, "dataset_not_found", f"There is no data set {dataset_id}.")
        body = fake.bodies[dataset_id]
        if body["state"] == "validating":
            body["looks"] -= 1
            if body["looks"] < 0:
                _end(body)
        return _seen(body)

    @app.get("/v1/datasets/{dataset_id}/preview")
    async def preview(dataset_id: str) -> Any:
        if fake.bodies[dataset_id]["state"] != "ready":
            return _problem(409, "dataset_not_ready", "It is still read.")
        return PREVIEW

    @app.delete("/v1/datasets/{dataset_id}")
    async def delete(dataset_id: str) -> Response:
        if fake.bodies.pop(dataset_id, None) is None:
            return _problem(404, "dataset_not_found", f"There is no data set {dataset_id}.")
        return Response(status_code=204)

    def _equal(**fields: str) -> dict[str, Any] | None:
        return next(
            (one for one in fake.bodies.values() if all(one[name] == value for name, value in fields.items())), None
        )

    def _end(body: dict[str, Any]) -> None:
        if fake.invalid:
            body |= {"state": "invalid", "state_reason": INVALID}
        else:
            body |= {"state": "ready", "num_rows": 40, "modality": "table", "columns": COLUMNS, "warnings": WARNINGS}


def _seen(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "looks"}


def _problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = {"type": f"urn:regcore:problem:{code}", "title": code, "status": status, "detail": detail}
    return JSONResponse(body, status, headers, media_type="application/problem+json")
