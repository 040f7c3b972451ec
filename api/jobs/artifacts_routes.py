"""A job's report and its files."""

import hashlib
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse

from api.http.auth import TheTenant
from api.http.errors import ProblemError
from api.http.etags import is_known
from api.http.negotiation import json_only
from api.http.queries import NO_QUERY
from api.http.ranges import settle_range
from api.http.responses import example, problems
from api.jobs import examples
from api.jobs.artifacts import find_file, read_file
from api.jobs.schemas import ArtifactList, show_artifact
from api.services import TheServices
from jobs.artifacts import MEDIA_TYPES
from jobs.errors import ArtifactNotFoundError
from jobs.model import Json

REPORT = "report.json"

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], dependencies=[NO_QUERY])

_FILE = {"schema": {"type": "string", "format": "binary"}, "example": "(the file's bytes)"}
_FILES = dict.fromkeys(MEDIA_TYPES, _FILE)
_PARTS = {**_FILES, "multipart/byteranges": _FILE}
_TAG = {"ETag": {"schema": {"type": "string"}, "description": "The file's SHA-256."}}
_FILE_HEADERS = {
    **_TAG,
    "Content-Disposition": {"schema": {"type": "string"}, "description": "Always an attachment."},
}


@router.get(
    "/{job_id}/report",
    response_model=Json,
    dependencies=[Depends(json_only)],
    responses={
        **problems("job_not_found", "report_not_found", "artifact_damaged", "precondition_failed"),
        **example(200, examples.REPORT, headers=_TAG),
        304: {"description": "The client's `If-None-Match` is still the report's ETag"},
    },
)
def job_report(request: Request, services: TheServices, tenant: TheTenant, job_id: str) -> Any:
    """Show the report of a job that has succeeded."""
    try:
        content = read_file(services, tenant, job_id, REPORT)
    except ArtifactNotFoundError:
        state = services.store.state(tenant, job_id)
        detail = f"The job is {state} and has no report. A report is written when a job succeeds: wait for that."
        raise ProblemError("report_not_found", detail) from None
    headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "Cache-Control": "private, no-cache"}
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


@router.get(
    "/{job_id}/artifacts",
    dependencies=[Depends(json_only)],
    responses={**problems("job_not_found"), **example(200, examples.ARTIFACTS)},
)
def list_artifacts(services: TheServices, tenant: TheTenant, job_id: str) -> ArtifactList:
    """List the files that a job made."""
    rows = services.store.artifacts(tenant, job_id)
    return ArtifactList(data=[show_artifact(services, job_id, row) for row in rows])


@router.get(
    "/{job_id}/artifacts/{name}",
    response_class=FileResponse,
    responses={
        **problems(
            "job_not_found",
            "artifact_not_found",
            "artifact_damaged",
            "invalid_range",
            "precondition_failed",
            "range_not_satisfiable",
        ),
        200: {"description": "The file", "content": _FILES, "headers": _FILE_HEADERS},
        206: {"description": "The part that `Range` asks for", "content": _PARTS},
        304: {"description": "The client's `If-None-Match` is still the file's ETag"},
    },
)
def download_artifact(request: Request, services: TheServices, tenant: TheTenant, job_id: str, name: str) -> Response:
    """Download a file, or a part of it with `Range`."""
    artifact, path = find_file(services, tenant, job_id, name)
    etag = f'"{artifact.sha256}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    stat = path.stat()
    if is_known(request, etag, stat.st_mtime):
        return Response(status_code=304, headers=headers)
    response = FileResponse(
        path, headers=headers, media_type=artifact.media_type, filename=artifact.name, stat_result=stat
    )
    if request.headers.get("if-range", etag) in (etag, response.headers["last-modified"]):
        settle_range(request, artifact.size_bytes)
    return response
