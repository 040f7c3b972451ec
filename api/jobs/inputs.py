"""Checks of a job's inputs: the weights of `init_from` must exist and fit. And what was deleted after a check."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from api.datasets.tables import refuse_missing
from api.jobs.artifacts import find_file
from api.services import Services
from jobs.errors import ArtifactDamagedError, ArtifactNotFoundError, DatasetNotFoundError, JobNotFoundError
from jobs.states import JobState
from regcore.errors import FieldError, SpecError
from regcore.plan import Check, Plan
from regcore.study.sweep import Candidate

WEIGHTS = "model.safetensors"
POINTER = "/init_from/job_id"


def input_check(services: Services, tenant: str) -> Check:
    """Return a function that checks whether a spec with `init_from` can begin with those weights now.

    It takes a spec, valid or not, and its plan, if there is one, whose parameters must match. Its errors point into the
    spec. Specs that need the same from the same job, such as members of a sweep, are checked once.

    Args:
        services: The server's.
        tenant: The owner: another tenant's job counts as missing.
    """
    known: dict[tuple[str, str], list[FieldError]] = {}

    def check(spec: Any, plan: Plan | None) -> list[FieldError]:
        source = spec.get("init_from") if isinstance(spec, dict) else None
        job_id = source.get("job_id") if isinstance(source, dict) else None
        if not isinstance(job_id, str):
            return []
        shapes = None if plan is None else {info.name: list(info.shape) for info in plan.parameters}
        asked = (job_id, str(shapes))
        if asked not in known:
            wrong = _examine(services, tenant, job_id, shapes)
            known[asked] = [FieldError(POINTER, *wrong)] if wrong else []
        return known[asked]

    return check


@contextmanager
def deleted_inputs_refused(*, but_for: str | None = None, candidates: Sequence[Candidate] = ()) -> Iterator[None]:
    """Report a job or data set that was deleted after it was looked up like a missing one.

    Args:
        but_for: A job that the request's path names, whose error stays unchanged.
        candidates: Candidates of the sweep, whose errors point to the source of the id.
    """
    try:
        yield
    except DatasetNotFoundError as error:
        (wrong,) = refuse_missing(error).errors
        users = [one for one in candidates if one.spec["data"].get("id") == error.dataset_id]
        raise SpecError(_at_each(users, wrong)) from error
    except JobNotFoundError as error:
        if error.job_id == but_for:
            raise
        wrong = FieldError(POINTER, *_not_there(error))
        users = [one for one in candidates if (one.spec.get("init_from") or {}).get("job_id") == error.job_id]
        raise SpecError(_at_each(users, wrong)) from error


def _at_each(users: Sequence[Candidate], wrong: FieldError) -> list[FieldError]:
    """The error at each place of a sweep that it comes from, once; of a single job, where it is."""
    each_place_once = {one.pointer: one for one in (user.explain(wrong) for user in users)}
    return list(each_place_once.values()) or [wrong]


def _examine(
    services: Services, tenant: str, job_id: str, shapes: dict[str, list[int]] | None
) -> tuple[str, str] | None:
    """Code and message of the reason why a model of these parameters, if known, cannot begin with the job's weights."""
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
