"""Sweeps: submit, list, show, path, comparison, ablation, cancel, delete; and comparisons of any jobs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from api.http.auth import TheTenant
from api.http.bodies import TheJson, read_nothing
from api.http.errors import ProblemError
from api.http.idempotency import KEY_PARAMETER, REPLAYED_HEADER, idempotency_key
from api.http.negotiation import json_only
from api.http.queries import NO_QUERY
from api.http.responses import JSON_BODY, example, problems
from api.jobs.inputs import deleted_inputs_refused
from api.jobs.queries import SubmitQuery
from api.services import Services, TheServices
from api.sweeps import examples
from api.sweeps.comparisons import compare_jobs, compare_variants, contributions
from api.sweeps.leaderboard import spec_of
from api.sweeps.paths import path
from api.sweeps.queries import AblationQuery, ComparisonQuery, SweepListQuery, make_sweep_filter
from api.sweeps.schemas import (
    AblationView,
    ComparisonView,
    PathView,
    SweepComparisonView,
    SweepPage,
    SweepValidation,
    SweepView,
    show_sweep,
    show_sweep_summary,
    show_sweep_validation,
)
from api.sweeps.submissions import MAX_HINTS, new_sweep, placed_sweep, plan_members
from jobs.logs import get_logger
from jobs.model import Sweep, SweepSubmission
from jobs.states import SWEEP_TERMINAL

router = APIRouter(prefix="/v1", tags=["sweeps"], dependencies=[Depends(json_only)])

_logger = get_logger(__name__)


def _body(schema: str, value: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}, "example": value}}
    return {"parameters": [KEY_PARAMETER], "requestBody": {"required": True, "content": content}}


@router.post(
    "/sweeps",
    status_code=201,
    response_model=SweepView,
    openapi_extra=_body("SweepSpec", examples.SPEC),
    responses={
        **problems(*JSON_BODY, "dataset_not_ready"),
        **example(200, examples.VALIDATION, "`validate_only`: what the sweep would be", model=SweepValidation),
        **example(
            201,
            examples.QUEUED,
            "The sweep, queued with all its members",
            headers={"Location": {"schema": {"type": "string"}, "description": "The sweep's address."}},
        ),
    },
)
def submit_sweep(
    request: Request,
    response: Response,
    services: TheServices,
    tenant: TheTenant,
    body: TheJson,
    query: Annotated[SubmitQuery, Query()],
) -> Any:
    """Submit a sweep: every member is checked, and either all are stored or none. Members are ordinary jobs."""
    key = idempotency_key(request, body)
    known = services.store.replay_sweep(tenant, key) if key and not query.validate_only else None
    if known is not None:
        return _created(services, response, known)
    plan = plan_members(services, tenant, body)
    if query.validate_only:
        validation = show_sweep_validation(placed_sweep(services, plan))
        return Response(validation.model_dump_json(), media_type="application/json")
    with deleted_inputs_refused(candidates=plan.candidates):
        submission = services.store.submit_sweep(tenant, new_sweep(plan), key)
    # If Redis is away, stop after one attempt; the reconciler finds the jobs.
    if not submission.replayed:
        all(services.publish(member.id) for member in submission.members[:MAX_HINTS])
        _logger.info("sweep_submitted", sweep_id=submission.sweep.id, num_members=submission.sweep.num_members)
    return _created(services, response, submission)


@router.get("/sweeps", responses={**problems(), **example(200, examples.PAGE)})
def list_sweeps(services: TheServices, tenant: TheTenant, query: Annotated[SweepListQuery, Query()]) -> SweepPage:
    """List sweeps as summaries, the newest first, without spec, best and leaderboard."""
    page = services.store.list_sweeps(tenant, make_sweep_filter(query), query.after, query.limit)
    summaries = [show_sweep_summary(services, sweep) for sweep in page.data]
    return SweepPage(data=summaries, next_after=page.next_after, has_more=page.has_more)


@router.get(
    "/sweeps/{sweep_id}",
    dependencies=[NO_QUERY],
    responses={**problems("sweep_not_found"), **example(200, examples.SWEEP)},
)
def show(services: TheServices, tenant: TheTenant, sweep_id: str) -> SweepView:
    """Show a sweep with its leaderboard so far."""
    return show_sweep(services, services.store.get_sweep(tenant, sweep_id))


@router.get(
    "/sweeps/{sweep_id}/path",
    response_model=PathView,
    dependencies=[NO_QUERY],
    responses={**problems("sweep_not_found", "not_of_this_sweep"), **example(200, examples.PATH)},
)
def show_path(services: TheServices, tenant: TheTenant, sweep_id: str) -> Any:
    """Show the metrics along the only axis of a sweep, if it is numeric, from the members that have ended."""
    sweep = services.store.get_sweep(tenant, sweep_id)
    if spec_of(sweep).path_axis is None:
        detail = "A path needs a sweep with exactly one axis, of numbers, and no variants. Submit such a sweep."
        raise ProblemError("not_of_this_sweep", detail)
    return path(services, sweep)


@router.get(
    "/sweeps/{sweep_id}/comparison",
    response_model=SweepComparisonView,
    responses={
        **problems("sweep_not_found", "not_of_this_sweep", "illegal_action", "artifact_damaged"),
        **example(200, examples.SWEEP_COMPARISON),
    },
)
def show_comparison(
    services: TheServices, tenant: TheTenant, sweep_id: str, query: Annotated[ComparisonQuery, Query()]
) -> Any:
    """Compare the variants of a sweep that has ended, each at its best combination by the objective."""
    spec = spec_of(_ended(services, tenant, sweep_id))
    if len(spec.variants) < 2:
        detail = "A comparison needs a sweep with two variants or more. POST /v1/comparisons compares any jobs."
        raise ProblemError("not_of_this_sweep", detail)
    members = services.store.sweep_members(tenant, sweep_id, spec.metric)
    return compare_variants(services, tenant, spec, members, query.metric, query.baseline)


@router.get(
    "/sweeps/{sweep_id}/ablation",
    response_model=AblationView,
    responses={
        **problems("sweep_not_found", "not_of_this_sweep", "illegal_action", "artifact_damaged"),
        **example(200, examples.ABLATION),
    },
)
def show_ablation(
    services: TheServices, tenant: TheTenant, sweep_id: str, query: Annotated[AblationQuery, Query()]
) -> Any:
    """Show what each regularizer contributes, from an ablation that has ended."""
    spec = spec_of(_ended(services, tenant, sweep_id))
    if spec.strategy.kind != "ablation":
        detail = 'Contributions need a sweep with the strategy {"kind": "ablation"}. Submit such a sweep.'
        raise ProblemError("not_of_this_sweep", detail)
    members = services.store.sweep_members(tenant, sweep_id, spec.metric)
    return contributions(services, tenant, spec, members, query.metric)


@router.post(
    "/sweeps/{sweep_id}/cancel",
    status_code=202,
    response_model=SweepView,
    dependencies=[NO_QUERY, Depends(read_nothing)],
    openapi_extra={"parameters": [KEY_PARAMETER]},
    responses={
        **problems(
            "sweep_not_found",
            "illegal_action",
            "precondition_failed",
            "body_too_large",
            "unsupported_media_type",
            "invalid_json",
            "invalid_body",
            "idempotency_mismatch",
            "idempotency_busy",
        ),
        **example(202, examples.SWEEP, "The sweep; its members are cancelled or about to be"),
    },
)
def cancel_sweep(request: Request, services: TheServices, tenant: TheTenant, sweep_id: str) -> Any:
    """Cancel every member that has not ended. Asking again is harmless."""
    key = idempotency_key(request)
    answer = services.store.recall(tenant, key) if key else None
    if answer is None:
        sweep, cancelled = services.store.cancel_sweep(tenant, sweep_id)
        services.notifier.notify(*cancelled)
        _logger.info("sweep_cancel_requested", sweep_id=sweep_id, num_members=len(cancelled))
        answer = show_sweep(services, sweep).model_dump(mode="json")
        if key:
            answer = services.store.remember(tenant, key, answer)
    return JSONResponse(answer, status_code=202)


@router.delete(
    "/sweeps/{sweep_id}",
    status_code=204,
    dependencies=[NO_QUERY],
    responses={
        **problems("sweep_not_found", "illegal_action", "precondition_failed"),
        204: {"description": "It is gone, with its members, their logs and their artifacts"},
    },
)
def delete_sweep(services: TheServices, tenant: TheTenant, sweep_id: str) -> None:
    """Delete a sweep that has ended, with its members, their logs and their artifacts.

    Refused while an unfinished job needs one of them.
    """
    hashes = services.store.delete_sweep(tenant, sweep_id)
    try:
        services.artifacts.delete_unreferenced(services.store.referenced, among=hashes)
    except OSError:
        # The sweep is deleted for its user; the reconciler deletes files that are left.
        _logger.exception("artifact_files_left", sweep_id=sweep_id)


@router.post(
    "/comparisons",
    response_model=ComparisonView,
    dependencies=[NO_QUERY],
    openapi_extra=_body("Comparison", examples.COMPARISON_BODY),
    responses={**problems(*JSON_BODY, "artifact_damaged"), **example(200, examples.COMPARISON)},
)
def compare(request: Request, response: Response, services: TheServices, tenant: TheTenant, body: TheJson) -> Any:
    """Compare groups of jobs: by how much they differ, and whether that is more than chance. Nothing is stored."""
    key = idempotency_key(request, body)
    known = services.store.recall(tenant, key) if key else None
    if known is not None:
        response.headers[REPLAYED_HEADER] = "true"
        return known
    said = compare_jobs(services, tenant, body)
    return services.store.remember(tenant, key, said) if key else said


def _created(services: Services, response: Response, submission: SweepSubmission) -> SweepView:
    response.headers["Location"] = services.url(f"/v1/sweeps/{submission.sweep.id}")
    if submission.replayed:
        response.headers[REPLAYED_HEADER] = "true"
    return show_sweep(services, submission.sweep, submission.members)


def _ended(services: Services, tenant: str, sweep_id: str) -> Sweep:
    """The sweep, which must have ended: verdicts of an unfinished sweep would keep changing."""
    sweep = services.store.get_sweep(tenant, sweep_id)
    if sweep.state not in SWEEP_TERMINAL:
        detail = f"The sweep is {sweep.state}; its members are judged once all have ended. Wait, or cancel it."
        raise ProblemError("illegal_action", detail)
    return sweep
