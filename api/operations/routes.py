"""For operators: workers, liveness, readiness, and the OpenAPI document."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from api.http.auth import needs_no_key
from api.http.negotiation import json_only
from api.http.queries import NO_QUERY
from api.http.responses import example, problems
from api.operations import examples
from api.operations.schemas import Health, WorkerList, WorkerView
from api.services import TheServices

router = APIRouter(tags=["operations"], dependencies=[NO_QUERY])

_PROBE_PROBLEMS = ("invalid_parameter", "internal_error")


@router.get(
    "/v1/workers",
    dependencies=[Depends(json_only)],
    responses={**problems(), **example(200, examples.WORKERS)},
)
def list_workers(services: TheServices) -> WorkerList:
    """List the workers; one that has been silent for longer than a lease is lost."""
    return WorkerList(data=[WorkerView.model_validate(row) for row in services.store.workers()])


@router.get(
    "/healthz",
    responses={**problems(everywhere=_PROBE_PROBLEMS), **example(200, {"status": "ok"})},
)
@needs_no_key
async def healthz() -> Health:
    """Report that the process is alive."""
    return Health()


@router.get(
    "/readyz",
    responses={**problems("unavailable", "disk_full", everywhere=_PROBE_PROBLEMS), **example(200, {"status": "ok"})},
)
@needs_no_key
def readyz(services: TheServices) -> Health:
    """Say whether calls can be served: whether the database can be read and written. Without Redis they can."""
    services.store.check_ready()
    return Health()


@router.get(
    "/openapi.json",
    dependencies=[Depends(json_only)],
    response_model=dict[str, Any],
    responses={**problems(), **example(200, {"openapi": "3.1.0", "info": {"title": "RegCore", "version": "0.1.0"}})},
)
async def openapi_document(request: Request) -> Any:
    """Show this document."""
    return JSONResponse(request.app.openapi())
