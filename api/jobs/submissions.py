"""From a body to a stored job: shared by all routes that create one."""

from typing import Any

from fastapi import Response

from api.datasets.tables import facts_of
from api.http.idempotency import REPLAYED_HEADER
from api.jobs.inputs import deleted_inputs_refused, input_check
from api.jobs.placement import placed
from api.jobs.schemas import JobView, show_job, show_validation
from api.services import Services
from jobs.logs import get_logger
from jobs.model import IdempotencyKey, Job, Json, NewJob
from regcore.errors import SpecError
from regcore.plan import Plan, make_plan
from regcore.spec.inputs import inputs_of

LOCATION: Json = {"Location": {"schema": {"type": "string"}, "description": "The job's address."}}

_logger = get_logger(__name__)


def plan_job(services: Services, tenant: str, spec: Any) -> Plan:
    """Return the plan of a spec that the server accepts.

    Raises:
        SpecError: The server does not accept it; every wrong place is named.
    """
    check = input_check(services, tenant)
    try:
        plan = make_plan(spec, services.ceilings, facts_of=facts_of(services, tenant))
    except SpecError as error:
        known = {one.pointer for one in error.errors}
        raise error.with_more(one for one in check(spec, None) if one.pointer not in known) from None
    unfit = check(spec, plan)
    if unfit:
        raise SpecError(unfit)
    return plan


def new_job(spec: Any, plan: Plan, **origin: Any) -> NewJob:
    """Return a job to store. It needs the jobs of its inputs; with a checkpoint that one's, not the starting weights'.

    Args:
        spec: As it was sent.
        plan: The plan of this spec.
        origin: More fields of `NewJob`: its sweep, or the job that it is a rerun of.
    """
    resolved = plan.resolved_spec
    goes_on = origin.get("checkpoint") is not None
    needs = {one.job_id for one in inputs_of(resolved) if not (goes_on and one.only_to_begin)}
    if goes_on:
        needs.add(origin["parent_job_id"])
    return NewJob(
        name=resolved.name,
        labels=resolved.labels,
        priority=resolved.priority,
        spec=spec,
        resolved_spec=resolved.model_dump(mode="json"),
        plan=plan.public(),
        warnings=[warning.model_dump(mode="json") for warning in plan.warnings],
        fusion_key=plan.fusion_key,
        member_bytes=plan.member_bytes,
        needs=frozenset(needs),
        dataset_id=resolved.data.id if resolved.data.kind == "dataset" else None,
        plugins=plan.plugins,
        **origin,
    )


def store_job(services: Services, response: Response, tenant: str, job: NewJob, key: IdempotencyKey | None) -> JobView:
    """Store a job, tell the workers, and answer with it.

    Raises:
        SpecError: Its data set, or the job of an input, was deleted a moment ago.
        JobNotFoundError: The job that it is a rerun of was deleted a moment ago.
    """
    with deleted_inputs_refused(job.resolved_spec, but_for=job.parent_job_id):
        submission = services.store.submit(tenant, job, key)
    if not submission.replayed:
        services.publish(submission.job.id)
        _logger.info("job_submitted", job_id=submission.job.id)
    return created(services, response, submission.job, replayed=submission.replayed)


def validated(services: Services, plan: Plan) -> Response:
    """Answer with what would be stored, and a warning if no present worker could take it."""
    return Response(show_validation(placed(services, plan)).model_dump_json(), media_type="application/json")


def created(services: Services, response: Response, job: Job, *, replayed: bool) -> JobView:
    """Answer with a job that this call created, or an earlier one with the same key."""
    response.headers["Location"] = services.url(f"/v1/jobs/{job.id}")
    if replayed:
        response.headers[REPLAYED_HEADER] = "true"
    return show_job(services, job)
