"""Data sets: upload, list, show, preview, delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.datasets import examples
from api.datasets.queries import DatasetListQuery, UploadQuery, make_dataset_filter
from api.datasets.schemas import (
    DatasetPage,
    DatasetView,
    PreviewView,
    show_dataset,
    show_dataset_summary,
)
from api.datasets.uploads import FORMATS, format_of, receive_file
from api.http.auth import TheTenant
from api.http.errors import NOT_READY, RETRY_AFTER_S, ProblemError
from api.http.etags import TheVersions, not_modified
from api.http.idempotency import KEY_PARAMETER, REPLAYED_HEADER, idempotency_key
from api.http.negotiation import json_only
from api.http.queries import NO_QUERY
from api.http.responses import example, problems
from api.services import Services, TheServices
from jobs.logs import get_logger
from jobs.model import DatasetSubmission, IdempotencyKey, NewDataset
from jobs.states import DatasetState

router = APIRouter(prefix="/v1/datasets", tags=["datasets"], dependencies=[Depends(json_only)])

_logger = get_logger(__name__)

_LOCATION = {"Location": {"schema": {"type": "string"}, "description": "The data set's address."}}
_ETAG = {"ETag": {"schema": {"type": "string"}, "description": "Changes with the data set."}}
_FILE = {"schema": {"type": "string", "format": "binary"}}
_UPLOAD_DOCUMENT: dict[str, Any] = {
    "parameters": [
        KEY_PARAMETER,
        {
            "name": "Content-Encoding",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "enum": ["identity", "gzip"]},
            "description": "gzip is known by its bytes too, so that this may be left out.",
        },
    ],
    "requestBody": {
        "required": True,
        "description": "The file, as it is or compressed by gzip.",
        "content": {**dict.fromkeys(FORMATS, _FILE), "text/csv": {**_FILE, "example": examples.CSV}},
    },
}


@router.post(
    "",
    status_code=202,
    response_model=DatasetView,
    openapi_extra=_UPLOAD_DOCUMENT,
    responses={
        **problems(
            "bad_request",
            "body_too_slow",
            "idempotency_busy",
            "precondition_failed",
            "body_too_large",
            "unsupported_media_type",
            "invalid_body",
            "idempotency_mismatch",
        ),
        **example(200, examples.DATASET, "Known bytes: the set as it is", headers=_LOCATION, model=DatasetView),
        **example(202, examples.VALIDATING, "The set; a worker is about to read it", headers=_LOCATION),
    },
)
async def upload_dataset(
    request: Request,
    response: Response,
    services: TheServices,
    tenant: TheTenant,
    query: Annotated[UploadQuery, Query()],
) -> Any:
    """Upload a table. The body is the file; a worker then reads it, which makes it `ready` or `invalid`.

    The same bytes with the same `header` are one set: sent again, they give the set as it is. An upload that is
    interrupted leaves nothing.
    """
    idempotency_key(request)  # a key that cannot be used is refused before the body is read
    file_format = format_of(request)
    file = await receive_file(request, services)
    new = NewDataset(query.name, file.sha256, file.size_bytes, query.header, file_format)
    key = idempotency_key(request, [new.name, new.sha256, new.header, new.format])
    submission = await run_in_threadpool(_store, services, tenant, new, key)
    response.status_code = 202 if submission.is_new else 200
    response.headers["Location"] = services.url(f"/v1/datasets/{submission.dataset.id}")
    if submission.replayed:
        response.headers[REPLAYED_HEADER] = "true"
    return await run_in_threadpool(show_dataset, services, submission.dataset)


@router.get("", responses={**problems(), **example(200, examples.PAGE)})
def list_datasets(services: TheServices, tenant: TheTenant, query: Annotated[DatasetListQuery, Query()]) -> DatasetPage:
    """List data sets as summaries, without their columns and warnings."""
    page = services.store.list_datasets(tenant, make_dataset_filter(query), query.sort, query.after, query.limit)
    summaries = [show_dataset_summary(services, dataset) for dataset in page.data]
    return DatasetPage(data=summaries, next_after=page.next_after, has_more=page.has_more)


@router.get(
    "/{dataset_id}",
    response_model=DatasetView,
    dependencies=[NO_QUERY],
    responses={
        **problems("dataset_not_found", "precondition_failed"),
        **example(200, examples.DATASET, headers=_ETAG),
        304: {"description": "The client's `If-None-Match` is still the data set's ETag"},
    },
)
def show(request: Request, response: Response, services: TheServices, tenant: TheTenant, dataset_id: str) -> Any:
    """Show a data set with its columns."""
    dataset = services.store.get_dataset(tenant, dataset_id)
    return not_modified(request, response, dataset) or show_dataset(services, dataset)


@router.get(
    "/{dataset_id}/preview",
    response_model=PreviewView,
    dependencies=[NO_QUERY],
    responses={
        **problems("dataset_not_found", "dataset_not_ready", "illegal_action"),
        **example(200, examples.PREVIEW),
    },
)
def preview_dataset(services: TheServices, tenant: TheTenant, dataset_id: str) -> Any:
    """Show the first 20 rows of a data set as they were read."""
    preview = services.store.preview_dataset(tenant, dataset_id)
    if preview is not None:
        return preview
    dataset = services.store.get_dataset(tenant, dataset_id)
    if dataset.state is DatasetState.INVALID:
        reason = dataset.state_reason or {}
        detail = f"The data set is invalid, and has no rows to show: {reason.get('message')} {reason.get('remedy')}"
        raise ProblemError("illegal_action", detail)
    detail = "The data set is still being read. Ask again when it is ready."
    raise ProblemError(NOT_READY, detail, headers={"Retry-After": str(RETRY_AFTER_S)})


@router.delete(
    "/{dataset_id}",
    status_code=204,
    dependencies=[NO_QUERY],
    responses={
        **problems("dataset_not_found", "illegal_action", "precondition_failed"),
        204: {"description": "It is gone, with its file"},
    },
)
def delete_dataset(services: TheServices, tenant: TheTenant, dataset_id: str, versions: TheVersions) -> None:
    """Delete a data set with its file. Refused while a job that has not ended trains on it."""
    hashes = services.store.delete_dataset(tenant, dataset_id, versions)
    try:
        services.artifacts.delete_unreferenced(services.store.referenced, among=hashes)
    except OSError:
        # The data set is deleted for its user; the reconciler deletes files that are left.
        _logger.exception("artifact_files_left", dataset_id=dataset_id)


def _store(services: Services, tenant: str, new: NewDataset, key: IdempotencyKey | None) -> DatasetSubmission:
    """Store a data set, whose file is there; workers look for new ones by themselves."""
    submission = services.store.create_dataset(tenant, new, key)
    if submission.is_new and not submission.replayed:
        _logger.info("dataset_uploaded", dataset_id=submission.dataset.id, size_bytes=new.size_bytes)
    return submission
