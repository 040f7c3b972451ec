"""Comparisons of groups of jobs, from their metrics and from what each row of a split adds to these."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from api.http.errors import ParameterError, ProblemError, parameter_problem
from api.jobs.artifacts import read_file
from api.jobs.splits import resplit_ratio, rows_id
from api.services import Services
from api.sweeps.leaderboard import by_candidate, leaderboard
from jobs.errors import ArtifactNotFoundError, JobNotFoundError
from jobs.model import Job, Json, SweepMember
from jobs.states import TERMINAL, JobState
from regcore.errors import FieldError, SpecError
from regcore.spec import parse_as
from regcore.spec.subject import subject_of
from regcore.study.sweep import FULL, WITHOUT, SweepSpec

if TYPE_CHECKING:
    from regcore.study.statistics import Group, GroupMember

ROWS = "rows.safetensors"
GAP = "generalization_gap"

CHOSEN: Final = (
    "The variants were chosen by {objective}, on the rows of this very metric, and look better on them than they are: "
    "the more, the more combinations there were to choose among. Judge by {better}."
)
WATCHED: Final = (
    "Some of these jobs kept the weights that did best on the {split} rows, and look better on them than they are. "
    "Judge by {better}."
)


# Any other text is refused as the id of a job that is not there.
JobId = Annotated[str, Field(json_schema_extra={"pattern": "^job_[0-9A-HJKMNP-TV-Z]{26}$"})]


class JobGroup(BaseModel):
    """Jobs that differ in nothing but their seeds."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    name: str = Field(min_length=1, max_length=200)
    """Its name in the answer."""
    job_ids: list[JobId] = Field(min_length=1, max_length=1000, json_schema_extra={"uniqueItems": True})
    """Jobs that have ended, each once; those that did not succeed count as missing."""


class Comparison(BaseModel):
    """Groups to compare in pairs; the earlier one of each pair is the baseline."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    groups: list[JobGroup] = Field(min_length=2, max_length=50)
    metric: str = Field(default="test/loss", min_length=1)
    """A metric of the jobs' results."""


def compare_jobs(services: Services, tenant: str, body: Any) -> Json:
    """Return how groups of jobs differ.

    Raises:
        SpecError: The body is wrong, or names jobs that cannot be compared.
    """
    from regcore.study.statistics import compare

    asked = parse_as(Comparison, body)
    groups = _find(services, tenant, asked)
    _refuse_unknown(asked.metric, [job for group in groups for job in group], "/metric")
    errors = [
        FieldError(f"/groups/{place}/job_ids/{position}", "not_comparable", message)
        for place, position, message in _unlike(groups, asked.metric)
    ]
    if errors:
        raise SpecError(errors)
    members = [
        _group(services, tenant, named.name, group, asked.metric)
        for named, group in zip(asked.groups, groups, strict=True)
    ]
    return compare(
        members, asked.metric, resplit_ratio=resplit_ratio(groups, asked.metric), notes=_watched(groups, asked.metric)
    )


def compare_variants(
    services: Services,
    tenant: str,
    spec: SweepSpec,
    members: Sequence[SweepMember],
    metric: str | None,
    baseline: str | None = None,
) -> Json:
    """Return how a sweep's variants differ, each at its best combination by the objective.

    Args:
        services: The server's.
        tenant: The owner.
        spec: The sweep's.
        members: Its members.
        metric: What to compare; None for the objective's on the test split.
        baseline: The variant to compare each other one with; None to compare every two.

    Raises:
        ProblemError: No job has the metric, or the variants have different data sets or losses.
        SpecError: The metric has no better end.
    """
    from regcore.study.statistics import compare

    metric = metric or _on_test(spec.metric)
    leaders = leaderboard(spec, members)
    # reversed, so that the first of each variant stays
    chosen = {entry["variant"]: entry for entry in reversed(leaders)}
    names = [variant.name for variant in spec.variants if variant.name in chosen]
    if len(names) < 2:
        raise ProblemError("not_of_this_sweep", "Fewer than two variants have jobs left: the sweep is being deleted.")
    if baseline is not None and baseline not in names:
        raise parameter_problem(
            "baseline", f"baseline must be a variant: {', '.join(names)}; received {baseline!r:.80}."
        )
    jobs = [[services.store.get(tenant, job_id) for job_id in chosen[name]["job_ids"]] for name in names]
    _refuse_unknown(metric, [job for same in jobs for job in same])
    for place, _, message in _unlike(jobs, metric):
        detail = f"Variant {names[place]!r} cannot be compared by {metric} with {names[0]!r}: {message}"
        raise ProblemError("not_of_this_sweep", detail)
    groups = [_group(services, tenant, name, same, metric) for name, same in zip(names, jobs, strict=True)]
    notes = [*_chosen(spec, metric, among_several=len(leaders) > len(names)), *_watched(jobs, metric)]
    ratio = resplit_ratio(jobs, metric)
    said = compare(groups, metric, _mode(spec, metric), baseline=baseline, resplit_ratio=ratio, notes=notes)
    for described in said["groups"]:
        described |= {name: chosen[described["name"]][name] for name in ("values", "job_ids")}
    return {"objective": {"metric": spec.metric, "mode": spec.mode}, **said}


def contributions(
    services: Services, tenant: str, spec: SweepSpec, members: Sequence[SweepMember], metric: str | None
) -> Json:
    """Return what each regularizer of an ablation contributes.

    Raises:
        ProblemError: No job has the metric.
        SpecError: The metric has no better end.
    """
    from regcore.study.statistics import Group, ablate

    metric = metric or _on_test(spec.metric)
    candidates = {same[0].variant: same for same in by_candidate(members).values()}
    jobs = {name: [services.store.get(tenant, one.id) for one in same] for name, same in candidates.items() if name}
    _refuse_unknown(metric, [job for same in jobs.values() for job in same])
    full = _group(services, tenant, FULL, jobs[FULL], metric) if FULL in jobs else Group(FULL, [])
    without = [
        _group(services, tenant, name.removeprefix(WITHOUT), same, metric)
        for name, same in jobs.items()
        if name != FULL
    ]
    groups = list(jobs.values())
    ratio, notes = resplit_ratio(groups, metric), _watched(groups, metric)
    return ablate(full, without, metric, _mode(spec, metric), resplit_ratio=ratio, notes=notes)


def _find(services: Services, tenant: str, asked: Comparison) -> list[list[Job]]:
    # One query for all: a body may name 30,000 jobs that are not there.
    states = services.store.states_among(tenant, [job_id for group in asked.groups for job_id in group.job_ids])
    errors = list(_doubled_names(asked))
    for place, group in enumerate(asked.groups):
        for position, (code, message) in _wrong_jobs(group, states):
            errors.append(FieldError(f"/groups/{place}/job_ids/{position}", code, message))
    if errors:
        raise SpecError(errors)
    try:
        return [[services.store.get(tenant, job_id) for job_id in group.job_ids] for group in asked.groups]
    except JobNotFoundError as error:  # deleted a moment ago
        raise SpecError([FieldError("/groups", "job_not_found", f"{error} Leave it out.")]) from error


def _doubled_names(asked: Comparison) -> Iterator[FieldError]:
    names = [group.name for group in asked.groups]
    for place, name in enumerate(names):
        if name in names[:place]:
            message = f"groups.{place}.name {name!r} is given twice. Choose another."
            yield FieldError(f"/groups/{place}/name", "doubled", message)


def _wrong_jobs(group: JobGroup, states: Mapping[str, JobState]) -> Iterator[tuple[int, tuple[str, str]]]:
    """Jobs that cannot be compared, by their position, and why."""
    seen: set[str] = set()
    for position, job_id in enumerate(group.job_ids):
        state = states.get(job_id)
        if state is None:
            yield position, ("job_not_found", f"{JobNotFoundError(job_id)} GET /v1/jobs lists yours.")
        elif state not in TERMINAL:
            yield position, ("job_not_ended", f"{job_id} is {state}. Wait until it has ended, or leave it out.")
        elif job_id in seen:
            yield position, ("doubled", f"{job_id} is twice in this group. Remove one.")
        seen.add(job_id)


def _unlike(groups: Sequence[Sequence[Job]], metric: str) -> Iterator[tuple[int, int, str]]:
    """Group and position of each job whose metric measures something else than the first one's, with a message."""
    first = groups[0][0]
    common = subject_of(first.resolved_spec, metric)
    for place, group in enumerate(groups):
        for position, job in enumerate(group):
            found = subject_of(job.resolved_spec, metric)
            for pointer in sorted(common | found):
                one, other = common.get(pointer), found.get(pointer)
                if one != other:
                    what = f"{pointer} of {job.id} is {json.dumps(other)}, and {json.dumps(one)} of {first.id}"
                    yield place, position, f"{what}. Compare like with like."


def _chosen(spec: SweepSpec, metric: str, *, among_several: bool) -> list[str]:
    """A warning if the groups were chosen on the same rows."""
    is_same_split = metric.partition("/")[0] == spec.metric.partition("/")[0]
    if not (is_same_split and among_several):
        return []
    return [CHOSEN.format(objective=spec.metric, better=_on_test(metric))]


def _watched(groups: Sequence[Sequence[Job]], metric: str) -> list[str]:
    """A warning if a job's own weights were selected on the same rows, as by early stopping."""
    split = metric.partition("/")[0]
    regularizers = [one for group in groups for job in group for one in job.resolved_spec["regularizers"]]
    if not any(one.get("metric", "").startswith(f"{split}/") for one in regularizers):
        return []
    return [WATCHED.format(split=split, better=_on_test(metric))]


def _refuse_unknown(metric: str, jobs: Iterable[Job], pointer: str | None = None) -> None:
    """Refuse a metric that no successful job has."""
    known = {name for job in jobs if job.result for name in (*job.result["metrics"], GAP)}
    if not known or metric in known:
        return
    message = f"metric must be one of {', '.join(sorted(known))}; received {metric!r:.80}. Correct it."
    if pointer is None:
        raise ProblemError("invalid_parameter", message, [ParameterError("metric", "unknown_value", message)])
    raise SpecError([FieldError(pointer, "unknown_value", message)])


def _group(services: Services, tenant: str, name: str, jobs: Sequence[Job], metric: str) -> "Group":
    from regcore.study.statistics import Group

    return Group(name, [_member(services, tenant, job, metric) for job in jobs])


def _member(services: Services, tenant: str, job: Job, metric: str) -> "GroupMember":
    from regcore.study.statistics import GroupMember

    result = job.result or {}
    value = result.get(GAP) if metric == GAP else result.get("metrics", {}).get(metric)
    rows = _rows(services, tenant, job, metric) if value is not None else None
    return GroupMember(job.id, job.resolved_spec["training"]["seed"], value, rows, rows_id(job, metric))


def _rows(services: Services, tenant: str, job: Job, metric: str) -> Any:
    """What each row adds to the metric; None if that was not stored.

    Raises:
        ArtifactDamagedError: It was stored, and cannot be read.
    """
    from safetensors.numpy import load

    from regcore.study.statistics import gap_rows

    try:
        kept = load(read_file(services, tenant, job.id, ROWS))
    except (ArtifactNotFoundError, JobNotFoundError):  # older than the storing of rows, or deleted meanwhile
        return None
    if metric == GAP and {"test/loss", "train/loss"} <= kept.keys():
        return gap_rows(kept["test/loss"], kept["train/loss"])
    return kept.get(metric)


def _on_test(metric: str) -> str:
    return f"test/{metric.partition('/')[2]}"


def _mode(spec: SweepSpec, metric: str) -> Any:
    """The objective's direction for the same quantity, else the metric's own."""
    same = metric.partition("/")[2] == spec.metric.partition("/")[2]
    return spec.mode if same else None
