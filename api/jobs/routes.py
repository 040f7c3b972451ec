"""Jobs: submit, list, show, cancel, pause, resume, rerun, delete."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.types import DecoratedCallable

from api.http.auth import TheTenant
from api.http.bodies import TheJson, TheJsonOrNothing, read_nothing
from api.http.etags import TheVersions, not_modified
from api.http.idempotency import KEY_PARAMETER, idempotency_key
from api.http.negotiation import json_only
from api.http.queries import NO_QUERY
from api.http.responses import JSON_BODY, example, problems
from api.jobs import examples
from api.jobs.queries import JobListQuery, SubmitQuery, make_job_filter
from api.jobs.reruns import plan_rerun
from api.jobs.schemas import JobPage, JobView, Validation, show_job, show_summary
from api.jobs.submissions import LOCATION, created, new_job, plan_job, store_job, validated
from api.services import Services, TheServices
from jobs.errors import VersionChangedError
from jobs.logs import get_logger
from jobs.model import Job
from jobs.states import JobState

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], dependencies=[Depends(json_only)])

_logger = get_logger(__name__)

_SUBMIT_DOCUMENT: dict[str, Any] = {
    "parameters": [KEY_PARAMETER],
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/JobSpec"}, "example": examples.SPEC}},
    },
}
_RERUN_DOCUMENT: dict[str, Any] = {
    "parameters": [KEY_PARAMETER],
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Rerun"}, "example": examples.RERUN}},
    },
}
_SUBMIT_PROBLEMS = (*JSON_BODY, "dataset_not_ready")
_ACTION_PROBLEMS = (
    "job_not_found",
    "illegal_action",
    "precondition_failed",
    "body_too_large",
    "unsupported_media_type",
    "invalid_json",
    "invalid_body",
    "idempotency_mismatch",
)
_ETAG = {"ETag": {"schema": {"type": "string"}, "description": "Changes with the job; a heartbeat alone does not."}}


@router.post(
    "",
    status_code=201,
    response_model=JobView,
    openapi_extra=_SUBMIT_DOCUMENT,
    responses={
        **problems(*_SUBMIT_PROBLEMS),
        **example(200, examples.VALIDATION, "`validate_only`: what the job would be", model=Validation),
        **example(201, examples.JOB, "The job, queued", headers=LOCATION),
    },
)
def submit_job(
    request: Request,
    response: Response,
    services: TheServices,
    tenant: TheTenant,
    body: TheJson,
    query: Annotated[SubmitQuery, Query()],
) -> Any:
    """Submit a job: it is stored before the answer, and reaches a terminal state whatever happens then."""
    key = idempotency_key(request, body)
    known = services.store.replay(tenant, key) if key else None
    if known is not None and not query.validate_only:
        return created(services, response, known, replayed=True)
    plan = plan_job(services, tenant, body)
    if query.validate_only:
        return validated(services, plan)
    return store_job(services, response, tenant, new_job(body, plan), key)


@router.get("", responses={**problems(), **example(200, examples.JOB_PAGE)})
def list_jobs(services: TheServices, tenant: TheTenant, query: Annotated[JobListQuery, Query()]) -> JobPage:
    """List jobs as summaries, without spec, resolved_spec, plan and transitions.

    Every job that met the filter when the first page was read is on exactly one page, whatever ends meanwhile. With a
    filter by `state` or an order by `finished_at`, all pages list the jobs that met the filter then, in their order at
    that time; each job is shown as it is now.
    """
    page = services.store.list(tenant, make_job_filter(query), query.sort, query.after, query.limit)
    summaries = [show_summary(services, job) for job in page.data]
    return JobPage(data=summaries, next_after=page.next_after, has_more=page.has_more)


@router.get(
    "/{job_id}",
    response_model=JobView,
    dependencies=[NO_QUERY],
    responses={
        **problems("job_not_found", "precondition_failed"),
        **example(200, examples.JOB, headers=_ETAG),
        304: {"description": "The client's `If-None-Match` is still the job's ETag"},
    },
)
def show(request: Request, response: Response, services: TheServices, tenant: TheTenant, job_id: str) -> Any:
    """Show a job."""
    job = services.store.get(tenant, job_id)
    return not_modified(request, response, job) or show_job(services, job)


def _action(name: str, state: str, description: str) -> Callable[[DecoratedCallable], DecoratedCallable]:
    """Make the route of an action on a job, which answers with the job after it."""
    return router.post(
        f"/{{job_id}}/{name}",
        status_code=202,
        response_model=JobView,
        dependencies=[NO_QUERY, Depends(read_nothing)],
        openapi_extra={"parameters": [KEY_PARAMETER]},
        responses={**problems(*_ACTION_PROBLEMS), **example(202, {**examples.JOB, "state": state}, description)},
    )


@_action("cancel", "cancelling", "The job, cancelled or about to be")
def cancel_job(
    request: Request, services: TheServices, tenant: TheTenant, job_id: str, versions: TheVersions
) -> JobView:
    """Cancel a job: at once if it has no worker yet, else within seconds. Asking again is harmless."""
    job = services.store.request_cancel(tenant, job_id, idempotency_key(request), versions)
    return _acted(services, job, "cancel")


@_action("pause", "pausing", "The job, paused or about to be")
def pause_job(
    request: Request, services: TheServices, tenant: TheTenant, job_id: str, versions: TheVersions
) -> JobView:
    """Pause a job: at once if it has no worker, else once a checkpoint is saved. Asking again is harmless."""
    job = services.store.request_pause(tenant, job_id, idempotency_key(request), versions)
    return _acted(services, job, "pause")


@_action("resume", "queued", "The job, in the queue again")
def resume_job(
    request: Request, services: TheServices, tenant: TheTenant, job_id: str, versions: TheVersions
) -> JobView:
    """Resume a paused job: it continues from its checkpoint. A job that is not paused is left as it is."""
    job = services.store.resume(tenant, job_id, idempotency_key(request), versions)
    if job.state is JobState.QUEUED:
        services.publish(job_id)
    return _acted(services, job, "resume")


@router.post(
    "/{job_id}/rerun",
    status_code=201,
    response_model=JobView,
    openapi_extra=_RERUN_DOCUMENT,
    responses={
        **problems("job_not_found", "illegal_action", *_SUBMIT_PROBLEMS),
        **example(200, examples.VALIDATION, "`validate_only`: what the job would be", model=Validation),
        **example(201, {**examples.JOB, "parent_job_id": examples.JOB_ID}, "The new job, queued", headers=LOCATION),
    },
)
def rerun_job(
    request: Request,
    response: Response,
    services: TheServices,
    tenant: TheTenant,
    job_id: str,
    versions: TheVersions,
    body: TheJsonOrNothing,
    query: Annotated[SubmitQuery, Query()],
) -> Any:
    """Submit a job again, changed by a JSON Patch of its resolved_spec; `parent_job_id` names the old job.

    Pointers of `errors`: `/patch/…` and `/start_from` refer to the body, all others to the patched spec.
    """
    key = idempotency_key(request, body)
    known = services.store.replay(tenant, key) if key else None
    if known is not None and not query.validate_only:
        return created(services, response, known, replayed=True)
    before = services.store.get(tenant, job_id)
    if versions is not None and before.version not in versions:
        raise VersionChangedError(job_id)
    rerun = plan_rerun(services, tenant, before, body)
    if query.validate_only:
        return validated(services, rerun.plan)
    job = new_job(rerun.spec, rerun.plan, parent_job_id=job_id, checkpoint=rerun.checkpoint)
    return store_job(services, response, tenant, job, key)


@router.delete(
    "/{job_id}",
    status_code=204,
    dependencies=[NO_QUERY],
    responses={
        **problems("job_not_found", "illegal_action", "precondition_failed"),
        204: {"description": "It is gone, with its log and its artifacts"},
    },
)
def delete_job(services: TheServices, tenant: TheTenant, job_id: str, versions: TheVersions) -> None:
    """Delete a job that has ended, with its log and artifacts. A member is deleted with its sweep.

    Refused while an unfinished job needs its weights or its checkpoint.
    """
    hashes = services.store.delete(tenant, job_id, versions)
    services.notifier.notify(job_id)
    try:
        services.artifacts.delete_unreferenced(services.store.referenced, among=hashes)
    except OSError:
        # The job is deleted for its user; the reconciler deletes files that are left.
        _logger.exception("artifact_files_left", job_id=job_id)


def _acted(services: Services, job: Job, action: str) -> JobView:
    services.notifier.notify(job.id)
    _logger.info(f"job_{action}_requested", job_id=job.id)
    return show_job(services, job)
