"""What a spec takes from other jobs: `init_from`, whose weights must be there and must fit."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from api.files import find_file
from api.services import Services
from jobs.errors import ArtifactDamagedError, ArtifactNotFoundError, JobNotFoundError
from jobs.states import JobState
from regcore.errors import FieldError, SpecError
from regcore.plan import Plan

WEIGHTS = "model.safetensors"
POINTER = "/init_from/job_id"


def check_sources(services: Services, tenant: str, plans: Iterable[Plan], *, at: str = "") -> None:
    """Make sure that every plan with `init_from` can begin with those weights, as things are now.

    Args:
        services: The server's.
        tenant: Whose jobs they are: another tenant's job is as good as none.
        plans: Of a job, or of all members of a sweep; alike ones are looked at once.
        at: Where the spec lies in the request's body.

    Raises:
        SpecError: A job is not there, has not succeeded, or has other parameters.
    """
    seen: set[tuple[str, str]] = set()
    for plan in plans:
        source = plan.resolved_spec.init_from
        if source is None:
            continue
        shapes = {info.name: list(info.shape) for info in plan.parameters}
        if (source.job_id, str(shapes)) in seen:
            continue
        seen.add((source.job_id, str(shapes)))
        wrong = _examine(services, tenant, source.job_id, shapes)
        if wrong:
            raise SpecError([FieldError(at + POINTER, *wrong)])


@contextmanager
def sources_refused(*, at: str = "", but_for: str | None = None) -> Iterator[None]:
    """Say of a job that was deleted since `check_sources` looked what is said of one that is not there.

    Args:
        at: Where the spec lies in the request's body.
        but_for: A job that the request's path names.
    """
    try:
        yield
    except JobNotFoundError as error:
        if error.job_id == but_for:
            raise
        raise SpecError([FieldError(at + POINTER, *_not_there(error))]) from error


def unfit_sources(services: Services, tenant: str, spec: Any) -> list[FieldError]:
    """What is wrong with the job that a spec begins with, be the rest of the spec as it may."""
    source = spec.get("init_from") if isinstance(spec, dict) else None
    job_id = source.get("job_id") if isinstance(source, dict) else None
    if not isinstance(job_id, str):
        return []
    wrong = _examine(services, tenant, job_id, None)
    return [FieldError(POINTER, *wrong)] if wrong else []


def _examine(
    services: Services, tenant: str, job_id: str, shapes: dict[str, list[int]] | None
) -> tuple[str, str] | None:
    """The code and the message of what keeps these parameters, if known, from beginning with the job's weights."""
    try:
        job = services.store.get(tenant, job_id)
    except JobNotFoundError as error:
        return _not_there(error)
    if job.state is not JobState.SUCCEEDED:
        remedy = "Name one that has, or wait until this one does."
        return "job_not_succeeded", f"init_from.job_id must name a job that succeeded; it is {job.state}. {remedy}"
    try:
        find_file(services, tenant, job_id, WEIGHTS)
    except ArtifactNotFoundError:
        return "no_weights", f"init_from.job_id must name a job that has its {WEIGHTS}; it has none. Name another job."
    except ArtifactDamagedError as error:
        return "no_weights", f"init_from.job_id must name a job that has its {WEIGHTS}. {error} Name another job."
    if shapes is None:
        return None
    there = {info["name"]: list(info["shape"]) for info in job.plan["parameters"]}
    differing = _first_difference(shapes, there)
    if differing:
        remedy = "Use the model of that job, or leave init_from out."
        return "parameters_differ", f"init_from needs the same parameters in both jobs; {differing}. {remedy}"
    return None


def _not_there(error: JobNotFoundError) -> tuple[str, str]:
    return "job_not_found", f"init_from.job_id must name one of your jobs. {error} Correct the id."


def _first_difference(own: dict[str, list[int]], other: dict[str, list[int]]) -> str | None:
    for name in [*own, *other]:
        if own.get(name) != other.get(name):
            return f"{name} {_has(own.get(name))} here, and {_has(other.get(name))} there"
    return None


def _has(shape: list[int] | None) -> str:
    return "is not" if shape is None else f"has shape {'×'.join(map(str, shape)) or '1'}"
