"""A sweep's members, each planned like a job of its own: before any is stored, all are known to be right."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from regcore.errors import FieldError, SpecError
from regcore.lint import SpecWarning
from regcore.plan import Ceilings, Plan, make_plan
from regcore.spec import parse_spec
from regcore.sweep.candidate import Candidate
from regcore.sweep.expand import expand
from regcore.sweep.spec import SweepSpec, parse_sweep

_METRICS: Final = {"classification": ("loss", "accuracy"), "regression": ("loss", "r2", "mae")}
_MAX_ERRORS: Final = 20
"""More are of no use to anyone, and a wrong base is wrong in each of thousands."""


@dataclass(frozen=True)
class PlannedMember:
    """One job of a sweep.

    Attributes:
        candidate: What it is an instance of.
        seed: Its own.
        spec: Its job spec, as one would submit it.
        plan: What follows from that.
    """

    candidate: Candidate
    seed: int
    spec: dict[str, Any]
    plan: Plan


@dataclass(frozen=True)
class SweepPlan:
    """A sweep that may be run.

    Attributes:
        spec: With every default filled in.
        candidates: In the order of the sweep's spec; what they are called by elsewhere is their place here.
        members: Candidate by candidate, one for each seed.
        warnings: What is doubtful in any of them, each once.
    """

    spec: SweepSpec
    candidates: list[Candidate]
    members: list[PlannedMember]
    warnings: list[SpecWarning]


def plan_sweep(body: Any, ceilings: Ceilings | None = None, max_members: int = 10_000) -> SweepPlan:
    """Plan a sweep from its JSON.

    Args:
        body: A `SweepSpec`.
        ceilings: Limits of each job; None for no limits.
        max_members: The most that it may have.

    Raises:
        SpecError: The sweep, its base or any member is wrong. Errors point into the body, at what put the wrong value
            there; of very many the first twenty are named.
    """
    sweep = parse_sweep(body)
    base = _plan_base(sweep, ceilings)
    problem = _objective_problem(sweep, base)
    if problem:
        raise SpecError([problem])
    resolved = base.resolved_spec.model_dump(mode="json")
    candidates = expand(sweep, resolved, max_members)
    errors: dict[tuple[str, str], FieldError] = {}
    members: list[PlannedMember] = []
    for candidate in candidates:
        try:
            members += _plan_members(sweep, candidate, ceilings)
        except SpecError as error:
            for one in error.errors:
                explained = candidate.explain(one)
                errors.setdefault((explained.pointer, one.message), explained)
        if len(errors) >= _MAX_ERRORS:
            break
    if errors:
        raise SpecError(list(errors.values())[:_MAX_ERRORS])
    warnings = {(one.code, one.pointer): one for member in members for one in member.plan.warnings}
    return SweepPlan(sweep, candidates, members, list(warnings.values()))


def _plan_base(sweep: SweepSpec, ceilings: Ceilings | None) -> Plan:
    try:
        return make_plan(parse_spec(sweep.base), ceilings)
    except SpecError as error:
        raise SpecError([FieldError(f"/base{one.pointer}", one.code, one.message) for one in error.errors]) from None


def _plan_members(sweep: SweepSpec, candidate: Candidate, ceilings: Ceilings | None) -> Iterator[PlannedMember]:
    """The members of a candidate. A seed changes nothing that is planned, so that is done once."""
    plan: Plan | None = None
    for seed, spec in candidate.members(sweep):
        if plan is None:
            plan = make_plan(parse_spec(spec), ceilings)
        resolved = plan.resolved_spec
        training = resolved.training.model_copy(update={"seed": seed})
        data = resolved.data.model_copy(update={"split_seed": seed}) if sweep.vary_split else resolved.data
        own = resolved.model_copy(update={"training": training, "data": data})
        yield PlannedMember(candidate, seed, spec, plan.model_copy(update={"resolved_spec": own}))


def _objective_problem(sweep: SweepSpec, base: Plan) -> FieldError | None:
    split, _, name = sweep.metric.partition("/")
    known = _METRICS[base.task]
    if name not in known:
        expected = ", ".join(f"{split}/{one}" for one in known)
        message = f"objective.metric must be one of {expected} for {base.task}; received {sweep.metric}. Correct it."
        return FieldError("/objective/metric", "unknown_value", message)
    if getattr(base.num_rows, split) == 0:
        message = (
            f"objective.metric {sweep.metric} needs a {split} split; the base has none. Raise data.{split}_fraction."
        )
        return FieldError("/objective/metric", "empty_split", message)
    return None
