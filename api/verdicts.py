"""What groups of jobs say against each other: their metrics, and what each row of a split added to these."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from api.errors import ParameterError, ProblemError
from api.services import Services
from api.sweeps import by_candidate, leaderboard
from jobs.errors import ArtifactNotFoundError, JobNotFoundError
from jobs.model import Job, Json, SweepMember
from jobs.states import TERMINAL
from regcore.errors import FieldError, SpecError
from regcore.spec import parse_as
from regcore.sweep import FULL, WITHOUT, SweepSpec

if TYPE_CHECKING:
    from regcore.statistics import Group, Member

ROWS = "rows.safetensors"
GAP = "generalization_gap"


class JobGroup(BaseModel):
    """Jobs that differ in nothing but their seeds."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    name: str = Field(min_length=1, max_length=200)
    """What it is called in the answer."""
    job_ids: list[str] = Field(min_length=1, max_length=1000)
    """Of jobs that have ended; those that did not succeed count as missing."""


class Comparison(BaseModel):
    """Groups to compare, each with each; the earlier one of two is the baseline."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    groups: list[JobGroup] = Field(min_length=2, max_length=50)
    metric: str = "test/loss"
    """A metric of the jobs' results."""


def compare_jobs(services: Services, tenant: str, body: Any) -> Json:
    """Return how groups of jobs differ.

    Raises:
        SpecError: The body is wrong, or names jobs that cannot be compared.
    """
    from regcore.statistics import Group, compare

    asked = parse_as(Comparison, body)
    groups = _find(services, tenant, asked)
    _refuse_unknown(asked.metric, [job for group in groups for job in group], "/metric")
    _refuse_unlike(groups, asked.metric)
    members = [
        Group(named.name, [_member(services, tenant, job, asked.metric) for job in group])
        for named, group in zip(asked.groups, groups, strict=True)
    ]
    return compare(members, asked.metric)


def compare_variants(
    services: Services, tenant: str, spec: SweepSpec, members: Sequence[SweepMember], metric: str | None
) -> Json:
    """Return how a sweep's variants differ, each at what is best for it by the objective.

    Raises:
        SpecError: The metric is not one that can be compared.
    """
    from regcore.statistics import compare

    metric = metric or _on_test(spec.metric)
    leaders = leaderboard(spec, members)
    chosen = {entry["variant"]: entry for entry in reversed(leaders)}  # so that the first of each stays
    names = [variant.name for variant in spec.variants if variant.name in chosen]
    jobs = {name: [services.store.get(tenant, job_id) for job_id in chosen[name]["job_ids"]] for name in names}
    everyone = [job for same in jobs.values() for job in same]
    _refuse_unknown(metric, everyone)
    groups = [_group(services, tenant, name, jobs[name], metric) for name in names]
    said = compare(groups, metric, _mode(spec, metric), resplit_ratio=_resplit_ratio(spec, everyone))
    for described in said["groups"]:
        described |= {name: chosen[described["name"]][name] for name in ("values", "job_ids")}
    return {"objective": {"metric": spec.metric, "mode": spec.mode}, **said}


def contributions(
    services: Services, tenant: str, spec: SweepSpec, members: Sequence[SweepMember], metric: str | None
) -> Json:
    """Return what each regularizer of an ablation contributes.

    Raises:
        SpecError: The metric is not one that can be compared.
    """
    from regcore.statistics import Group, ablate

    metric = metric or _on_test(spec.metric)
    candidates = {same[0].variant: same for same in by_candidate(members).values()}
    jobs = {name: [services.store.get(tenant, one.id) for one in same] for name, same in candidates.items() if name}
    everyone = [job for same in jobs.values() for job in same]
    _refuse_unknown(metric, everyone)
    full = _group(services, tenant, FULL, jobs[FULL], metric) if FULL in jobs else Group(FULL, [])
    without = [
        _group(services, tenant, name.removeprefix(WITHOUT), same, metric)
        for name, same in jobs.items()
        if name != FULL
    ]
    return ablate(full, without, metric, _mode(spec, metric), resplit_ratio=_resplit_ratio(spec, everyone))


def _find(services: Services, tenant: str, asked: Comparison) -> list[list[Job]]:
    errors, groups = [], []
    for place, group in enumerate(asked.groups):
        found: list[Job] = []
        if group.name in [other.name for other in asked.groups[:place]]:
            message = f"groups.{place}.name {group.name!r} is given twice. Choose another."
            errors.append(FieldError(f"/groups/{place}/name", "doubled", message))
        for position, job_id in enumerate(group.job_ids):
            pointer = f"/groups/{place}/job_ids/{position}"
            problem = None
            try:
                job = services.store.get(tenant, job_id)
            except JobNotFoundError:
                problem = ("job_not_found", f"There is no job {job_id!r:.80}. Correct the id.")
            else:
                if job.state not in TERMINAL:
                    problem = ("job_not_ended", f"{job_id} is {job.state}. Wait until it has ended, or leave it out.")
                elif job_id in group.job_ids[:position]:
                    problem = ("doubled", f"{job_id} is twice in this group. Remove one.")
                found.append(job)
            if problem:
                errors.append(FieldError(pointer, *problem))
        groups.append(found)
    if errors:
        raise SpecError(errors)
    return groups


def _refuse_unlike(groups: Sequence[Sequence[Job]], metric: str) -> None:
    """A loss of one kind, or on one data set, says nothing beside another's."""
    first = groups[0][0]
    for place, group in enumerate(groups):
        for position, job in enumerate(group):
            for what, one, other in zip(
                ("data set", "loss"), _subject(first, metric), _subject(job, metric), strict=True
            ):
                if one != other:
                    message = f"{job.id} has another {what} than {first.id}: {other} and {one}. Compare like with like."
                    raise SpecError([FieldError(f"/groups/{place}/job_ids/{position}", "not_comparable", message)])


def _subject(job: Job, metric: str) -> tuple[Any, Any]:
    data, task = job.resolved_spec["data"], job.resolved_spec["task"]
    name = {key: data[key] for key in ("kind", "name", "id") if key in data}
    of_loss = metric.endswith("/loss") or metric == GAP
    return name, {key: task[key] for key in ("loss", "class_weights")} if of_loss else task["kind"]


def _refuse_unknown(metric: str, jobs: Iterable[Job], pointer: str | None = None) -> None:
    """Say so where no job that succeeded has the metric."""
    known = {name for job in jobs if job.result for name in (*job.result["metrics"], GAP)}
    if not known or metric in known:
        return
    message = f"metric must be one of {', '.join(sorted(known))}; received {metric!r:.80}. Correct it."
    if pointer is None:
        raise ProblemError("invalid_parameter", message, [ParameterError("metric", "unknown_value", message)])
    raise SpecError([FieldError(pointer, "unknown_value", message)])


def _group(services: Services, tenant: str, name: str, jobs: Sequence[Job], metric: str) -> "Group":
    from regcore.statistics import Group

    return Group(name, [_member(services, tenant, job, metric) for job in jobs])


def _member(services: Services, tenant: str, job: Job, metric: str) -> "Member":
    from regcore.statistics import Member

    result = job.result or {}
    value = result.get(GAP) if metric == GAP else result.get("metrics", {}).get(metric)
    rows = _rows(services, tenant, job, metric) if value is not None else None
    return Member(job.id, job.resolved_spec["training"]["seed"], value, rows, _rows_id(job, metric))


def _rows(services: Services, tenant: str, job: Job, metric: str) -> Any:
    """What each row of the split added to the metric; None where that was not kept."""
    from safetensors.numpy import load

    try:
        artifact = services.store.artifact(tenant, job.id, ROWS)
        with services.artifacts.open(artifact.sha256) as file:
            return load(file.read()).get(metric)
    except (ArtifactNotFoundError, FileNotFoundError):
        return None


def _rows_id(job: Job, metric: str) -> str:
    """Equal for the same rows in the same order. The test rows are chosen before the validation rows."""
    data: Mapping[str, Any] = job.resolved_spec["data"]
    free = {"standardize", "train_limit"} | ({"validation_fraction"} if metric.startswith("test/") else set())
    chosen = {name: value for name, value in data.items() if name not in free}
    return hashlib.sha256(json.dumps([chosen, metric], sort_keys=True).encode()).hexdigest()


def _on_test(metric: str) -> str:
    return f"test/{metric.partition('/')[2]}"


def _mode(spec: SweepSpec, metric: str) -> Any:
    """The objective's own direction for the same quantity, else the metric's."""
    same = metric.partition("/")[2] == spec.metric.partition("/")[2]
    return spec.mode if same else None


def _resplit_ratio(spec: SweepSpec, jobs: Sequence[Job]) -> float | None:
    if not spec.vary_split or not jobs:
        return None
    rows = jobs[0].plan["num_rows"]
    return float(rows["test"] / rows["train"])
