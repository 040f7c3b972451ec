"""Reruns: a job's resolved spec, changed by a patch, from scratch, from its weights or from its checkpoint."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from api.datasets.tables import facts_of
from api.http.errors import ProblemError
from api.jobs.inputs import input_check
from api.jobs.submissions import plan_job
from api.services import Services
from jobs.model import Job, Json
from jobs.states import TERMINAL, JobState
from regcore.errors import FieldError, SpecError
from regcore.plan import Plan, make_plan
from regcore.spec import apply_patch, json_pointer, parse_as
from regcore.spec.inputs import INIT_FROM
from regcore.spec.patch import Patch

_FREE_WITH_CHECKPOINT = frozenset(
    {"/name", "/labels", "/priority", "/resources", "/training/checkpoint_every_s", "/fusion", "/exports"}
)
"""Fields that may change when a checkpoint is resumed; all others affect the training."""


class Rerun(BaseModel):
    """How a job runs again."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    patch: Patch = []
    """JSON Patch (RFC 6902) of the job's `resolved_spec`; with `weights`, its `init_from` already names this job."""
    start_from: Literal["scratch", "weights", "checkpoint"] = "scratch"
    """`scratch`: as its spec begins. `weights`: with the weights at the job's end, and a new optimizer. `checkpoint`:
    resumes a failed or cancelled job where it was saved last; the patch may then change only what does not affect the
    training: name, labels, priority, resources, training.checkpoint_every_s, fusion, exports."""


@dataclass(frozen=True, slots=True)
class PlannedRerun:
    """An accepted rerun."""

    spec: Json
    plan: Plan
    checkpoint: Json | None


def plan_rerun(services: Services, tenant: str, job: Job, body: Any) -> PlannedRerun:
    """Return the rerun of a job with this body.

    Raises:
        SpecError: The body, the patch or the patched spec is wrong.
        ProblemError: The job cannot start from there.
    """
    start_from = parse_as(Rerun, body).start_from
    patch = body.get("patch", [])
    if start_from == "checkpoint":
        checkpoint = _checkpoint(job)
        spec = apply_patch(job.resolved_spec, patch)
        plan = make_plan(spec, services.ceilings, facts_of=facts_of(services, tenant))
        _refuse_other_training(job.resolved_spec, plan.resolved_spec.model_dump(mode="json"))
        # The job's own init_from is not checked again: a checkpoint does not need those weights.
        unfit = input_check(services, tenant)({**spec, INIT_FROM: None}, plan)
        if unfit:
            raise SpecError(unfit)
        return PlannedRerun(spec, plan, checkpoint)
    before = job.resolved_spec
    if start_from == "weights":
        _need_weights(job)
        before = {**before, INIT_FROM: {"job_id": job.id}}
    spec = apply_patch(before, patch)
    return PlannedRerun(spec, plan_job(services, tenant, spec), None)


def _need_weights(job: Job) -> None:
    if job.state is JobState.SUCCEEDED:
        return
    remedy = "Start from scratch" if job.state in TERMINAL else "Wait until it has succeeded, or start from scratch"
    detail = f"Only a job that succeeded has weights to start from; this one is {job.state}. {remedy}."
    raise ProblemError("illegal_action", detail)


def _checkpoint(job: Job) -> Json:
    if job.state not in TERMINAL:
        detail = f"This job is {job.state}, and goes on from its checkpoint by itself. Resume or cancel it instead."
        raise ProblemError("illegal_action", detail)
    if job.state is JobState.SUCCEEDED:
        detail = "A job that succeeded keeps its weights, and no checkpoint. Use start_from weights."
        raise ProblemError("illegal_action", detail)
    if job.checkpoint is None:
        detail = (
            "This job has no checkpoint: it ended before one was saved, while jobs that it trained with went on and "
            "theirs was too large to be kept, or so long ago that it is gone. Use start_from scratch."
        )
        raise ProblemError("illegal_action", detail)
    return {"owner": job.id, **job.checkpoint}


def _refuse_other_training(before: Json, after: Json) -> None:
    errors = [
        FieldError(
            pointer,
            "decides_training",
            f"{pointer[1:].replace('/', '.')} decides what is trained, and must stay as it is behind a checkpoint. "
            "Leave it out of the patch, or start from scratch.",
        )
        for pointer in _changes(before, after, ())
    ]
    if errors:
        raise SpecError(errors)


def _changes(before: Any, after: Any, path: tuple[str | int, ...]) -> Iterator[str]:
    """Pointers of the fields that differ and must not."""
    pointer = json_pointer(path)
    if before == after or pointer in _FREE_WITH_CHECKPOINT:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in {**before, **after}:
            yield from _changes(before.get(name), after.get(name), (*path, name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _changes(one, other, (*path, index))
    else:
        yield pointer
