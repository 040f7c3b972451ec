"""Checks of a job's inputs: the jobs whose weights it needs must exist and fit. And what was deleted after a check."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from api.datasets.tables import refuse_missing
from api.jobs.artifacts import find_file
from api.services import Services
from jobs.errors import ArtifactDamagedError, ArtifactNotFoundError, DatasetNotFoundError, JobNotFoundError
from jobs.model import Job
from jobs.states import JobState
from regcore.errors import FieldError, SpecError, in_words
from regcore.plan import Check, Plan
from regcore.spec.inputs import Input, inputs_in
from regcore.study.sweep import Candidate

WEIGHTS = "model.safetensors"


def input_check(services: Services, tenant: str) -> Check:
    """Return a function that checks whether the jobs that a spec names can be its inputs now.

    It takes a spec, valid or not, and its plan, if there is one, which the inputs must fit. Its errors point into the
    spec. Each job is looked up once, also for all members of a sweep.

    Args:
        services: The server's.
        tenant: The owner: another tenant's job counts as missing.
    """
    look_up = cache(lambda job_id: _look_up(services, tenant, job_id))

    def check(spec: Any, plan: Plan | None) -> list[FieldError]:
        found = ((one, _problem(one, look_up(one.job_id), plan)) for one in inputs_in(spec))
        return [_at(one, *problem) for one, problem in found if problem is not None]

    return check


@contextmanager
def deleted_inputs_refused(
    spec: Any = None, *, but_for: str | None = None, candidates: Sequence[Candidate] = ()
) -> Iterator[None]:
    """Report a job or data set that was deleted after it was looked up like a missing one.

    Args:
        spec: A single job's; None for a sweep.
        but_for: A job that the request's path names, whose error stays unchanged.
        candidates: Candidates of the sweep, whose errors point to the source of the id.
    """
    try:
        yield
    except DatasetNotFoundError as error:
        (wrong,) = refuse_missing(error).errors
        users = [one for one in candidates if one.spec["data"].get("id") == error.dataset_id]
        raise SpecError(_each_place_once(user.explain(wrong) for user in users) or [wrong]) from error
    except JobNotFoundError as error:
        if error.job_id == but_for:
            raise
        of_sweep = (user.explain(wrong) for user in candidates for wrong in _missing(user.spec, error))
        raise SpecError([*_missing(spec, error), *_each_place_once(of_sweep)]) from error


def _each_place_once(errors: Iterable[FieldError]) -> list[FieldError]:
    return list({one.pointer: one for one in errors}.values())


def _missing(spec: Any, error: JobNotFoundError) -> list[FieldError]:
    """The places of a spec that name the missing job."""
    return [_at(one, *_not_there(error)) for one in inputs_in(spec) if one.job_id == error.job_id]


def _at(one: Input, code: str, what: str) -> FieldError:
    """The error at the place that names the job; `{place}` in its message stands for that place in words."""
    pointer = f"{one.pointer}/job_id"
    return FieldError(pointer, code, what.replace("{place}", in_words(pointer[1:].split("/"))))


def _look_up(services: Services, tenant: str, job_id: str) -> Job | tuple[str, str]:
    """A job that can be an input; or code and message of the reason why it cannot."""
    try:
        job = services.store.get(tenant, job_id)
    except JobNotFoundError as error:
        return _not_there(error)
    if job.state is not JobState.SUCCEEDED:
        remedy = "Name one that has, or wait until this one does."
        return "job_not_succeeded", f"{{place}} must name a job that succeeded; it is {job.state}. {remedy}"
    try:
        find_file(services, tenant, job_id, WEIGHTS)
    except ArtifactNotFoundError:
        return "no_weights", f"{{place}} must name a job that has its {WEIGHTS}; it has none. Name another job."
    except ArtifactDamagedError as error:
        return "no_weights", f"{{place}} must name a job that has its {WEIGHTS}. {error} Name another job."
    return job


def _problem(one: Input, job: Job | tuple[str, str], plan: Plan | None) -> tuple[str, str] | None:
    """Code and message of the reason why a job of this plan, if known, cannot have that input; None if it can."""
    if isinstance(job, tuple):
        return job
    if plan is None:
        return None
    if one.position is None:
        there = {info["name"]: list(info["shape"]) for info in job.plan["parameters"]}
        differing = _first_difference({info.name: list(info.shape) for info in plan.parameters}, there)
        remedy = f"Use the model of that job, or leave {one.name} out."
        message = f"{one.name} needs the same parameters in both jobs; {differing}. {remedy}"
        return ("parameters_differ", message) if differing else None
    regularizer = plan.resolved_spec.regularizers[one.position]
    problem = regularizer.input_problem(one.name.rpartition(".")[2], job.plan, plan.public())
    return None if problem is None else ("model_differs", f"{{place}}: {problem}")


def _not_there(error: JobNotFoundError) -> tuple[str, str]:
    return "job_not_found", f"{{place}} must name one of your jobs. {error} Correct the id."


def _first_difference(own: dict[str, list[int]], other: dict[str, list[int]]) -> str | None:
    for name in [*own, *other]:
        if own.get(name) != other.get(name):
            return f"{name} {_has(own.get(name))} here, and {_has(other.get(name))} there"
    return None


def _has(shape: list[int] | None) -> str:
    return "is not" if shape is None else f"has shape {'×'.join(map(str, shape)) or '1'}"
