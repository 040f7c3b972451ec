"""A sweep's members, each planned like a job of its own: all are known to be valid before any is stored."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from regcore.data.facts import FactsOf, known_facts
from regcore.errors import FieldError, SpecError
from regcore.plan import Ceilings, Check, Plan, SpecWarning, make_plan
from regcore.spec.kinds import METRICS, TASKS
from regcore.spec.subject import subject_of
from regcore.spec.validation import shown
from regcore.study.sweep.candidate import Candidate
from regcore.study.sweep.expand import expand
from regcore.study.sweep.fewer import fewer_than_asked
from regcore.study.sweep.mending import further_problems, objective_problems, seed_problems
from regcore.study.sweep.spec import Halving, SweepSpec, parse_sweep

_ENOUGH_ERRORS: Final = 20
"""The most wrong members to check: an error in one mostly repeats in thousands."""


@dataclass(frozen=True)
class PlannedMember:
    """One job of a sweep.

    Attributes:
        candidate: Its candidate.
        seed: Its seed.
        spec: Its job spec, as a user would submit it.
        plan: The plan of the spec.
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
        candidates: In the order of the sweep's spec; elsewhere a candidate's name is its place here.
        members: Candidate by candidate, one for each seed.
        warnings: Doubts about the sweep and its members, each once.
    """

    spec: SweepSpec
    candidates: list[Candidate]
    members: list[PlannedMember]
    warnings: list[SpecWarning]


def plan_sweep(
    body: Any,
    ceilings: Ceilings | None = None,
    max_members: int = 10_000,
    max_bytes: int = 100_000_000,
    check: Check = lambda _spec, _plan: [],
    *,
    facts_of: FactsOf = known_facts,
) -> SweepPlan:
    """Plan a sweep from its JSON.

    Args:
        body: A `SweepSpec`.
        ceilings: Limits of each job; None for no limits.
        max_members: The most members.
        max_bytes: The most bytes of its members' plans together, as JSON: a short sweep can ask for very much.
        check: Returns further errors of each job.
        facts_of: Finds the facts of each job's data.

    Raises:
        SpecError: The sweep, its base or any member is wrong. Errors point into the body, at what put the wrong value
            there; members are looked at until twenty places are found.
    """
    try:
        return _plan(body, ceilings, max_members, max_bytes, check, facts_of)
    except SpecError as error:
        if error.num_left_off:  # with this many errors, checking the rest helps little
            raise
        raise error.with_more(further_problems(body, error.errors, max_members, facts_of)) from None


def _plan(
    body: Any, ceilings: Ceilings | None, max_members: int, max_bytes: int, check: Check, facts_of: FactsOf
) -> SweepPlan:
    """Make the plan; the first step that finds errors raises all that it finds."""
    sweep, base = _read(body, ceilings, check, facts_of)
    resolved_base = base.resolved_spec.model_dump(mode="json")
    try:
        candidates = expand(sweep, resolved_base, max_members)
    except SpecError as error:
        raise _with_unfit(error, [Candidate(None, sweep.base)], check) from None
    try:
        plans = _plan_each(sweep, candidates, ceilings, max_bytes, list(seed_problems(sweep, resolved_base)), facts_of)
    except SpecError as error:
        raise _with_unfit(error, candidates, check) from None
    problems = [
        *objective_problems(sweep, TASKS[plans[0].task], len(plans[0].classes or ())),
        *_unlike(sweep, base, candidates, plans),
        *_rung_problems(sweep, plans),
        *_unfit(candidates, plans, check),
    ]
    if problems:
        raise SpecError(_each_place_once(problems))
    members = [
        member for candidate, plan in zip(candidates, plans, strict=True) for member in _members(sweep, candidate, plan)
    ]
    warnings = {(one.code, one.pointer): one for plan in plans for one in plan.warnings}
    fewer = fewer_than_asked(sweep, [(one.variant, one.values) for one in candidates])
    return SweepPlan(sweep, candidates, members, [*fewer, *warnings.values()])


def _read(body: Any, ceilings: Ceilings | None, check: Check, facts_of: FactsOf) -> tuple[SweepSpec, Plan]:
    """The sweep and the plan of its base, or the errors of both."""
    base = body.get("base") if isinstance(body, dict) else None
    try:
        sweep = parse_sweep(body)
    except SpecError as error:
        of_base = _base_error(base, ceilings, facts_of)
        known = SpecError([*error.errors, *of_base.errors], error.num_left_off + of_base.num_left_off)
        raise _with_unfit(known, [Candidate(None, base)], check) from None
    try:
        return sweep, _plan_base(sweep.base, ceilings, facts_of)
    except SpecError as error:
        raise _with_unfit(error, [Candidate(None, base)], check) from None


def _base_error(base: Any, ceilings: Ceilings | None, facts_of: FactsOf) -> SpecError:
    """Errors in the base of a sweep that is also wrong elsewhere, except at places that do not exist."""
    try:
        if isinstance(base, dict):  # otherwise that was reported
            _plan_base(base, ceilings, facts_of)
    except SpecError as error:
        return error
    return SpecError([])


def _unfit(candidates: Sequence[Candidate], plans: Sequence[Plan], check: Check) -> Iterator[FieldError]:
    """Further errors of each candidate. If any is wrong by itself, there are no plans."""
    for candidate, plan in zip_longest(candidates, plans):
        for one in check(candidate.spec, plan):
            yield candidate.explain(one)


def _with_unfit(error: SpecError, candidates: Sequence[Candidate], check: Check) -> SpecError:
    """Add further errors of the candidates to an error, at places without an error so far."""
    known = {one.pointer for one in error.errors}
    more = _each_place_once(one for one in _unfit(candidates, [], check) if one.pointer not in known)
    return error.with_more(more)


def _each_place_once(errors: Iterable[FieldError]) -> list[FieldError]:
    """The first error of each place."""
    first: dict[str, FieldError] = {}
    for one in errors:
        first.setdefault(one.pointer, one)
    return list(first.values())


def _plan_base(base: Mapping[str, Any], ceilings: Ceilings | None, facts_of: FactsOf) -> Plan:
    try:
        return make_plan(base, ceilings, facts_of=facts_of)
    except SpecError as error:
        raise error.moved(lambda one: FieldError(f"/base{one.pointer}", one.code, one.message)) from None


def _plan_each(
    sweep: SweepSpec,
    candidates: Sequence[Candidate],
    ceilings: Ceilings | None,
    max_bytes: int,
    known_errors: Sequence[FieldError],
    facts_of: FactsOf,
) -> list[Plan]:
    """The plan of each candidate, one for all seeds, because a seed does not affect the plan."""
    plans: list[Plan] = []
    errors = {(one.pointer, one.message): one for one in known_errors}
    size_bytes = 0
    for candidate in candidates:
        try:
            plan = make_plan(candidate.spec, ceilings, facts_of=facts_of)
            _check_split(sweep, plan)
            plans.append(plan)
            size_bytes += len(plan.model_dump_json()) * len(sweep.seeds)
        except SpecError as error:
            for one in error.errors:
                explained = candidate.explain(one)
                errors.setdefault((explained.pointer, one.message), explained)
        if size_bytes > max_bytes:
            message = (
                f"The plans of a sweep's members may take {max_bytes:,} bytes together on this server; the first "
                f"{len(plans):,} of {len(candidates):,} combinations take more. Try fewer, or a model of fewer layers."
            )
            raise SpecError([FieldError("/axes" if sweep.axes else "/base", "over_ceiling", message)])
        if len(errors) >= _ENOUGH_ERRORS:
            break
    if errors:
        raise SpecError(list(errors.values()))
    return plans


def _members(sweep: SweepSpec, candidate: Candidate, plan: Plan) -> Iterator[PlannedMember]:
    resolved = plan.resolved_spec
    for seed, spec in candidate.members(sweep):
        training = resolved.training.model_copy(update={"seed": seed})
        data = resolved.data.model_copy(update={"split_seed": seed}) if sweep.vary_split else resolved.data
        own = resolved.model_copy(update={"training": training, "data": data})
        yield PlannedMember(candidate, seed, spec, plan.model_copy(update={"resolved_spec": own}))


def _check_split(sweep: SweepSpec, plan: Plan) -> None:
    split, _, name = sweep.metric.partition("/")
    num_rows, needed = getattr(plan.num_rows, split), METRICS[name].min_rows if name in METRICS else 1
    if num_rows < needed:
        message = (
            f"objective.metric {sweep.metric} needs at least {needed} row(s) in the {split} split; there are "
            f"{num_rows}. Raise data.{split}_fraction."
        )
        raise SpecError([FieldError(f"/data/{split}_fraction", "empty_split", message)])


def _unlike(
    sweep: SweepSpec, base: Plan, candidates: Sequence[Candidate], plans: Sequence[Plan]
) -> Iterator[FieldError]:
    """Candidates that cannot be ranked with the others: unlike the base, or if all are, unlike the first."""
    subjects = [_subject(plan, sweep.metric) for plan in plans]
    common = _subject(base, sweep.metric) if _subject(base, sweep.metric) in subjects else subjects[0]
    for candidate, found in zip(candidates, subjects, strict=True):
        for pointer in sorted(common | found):
            if common.get(pointer) != found.get(pointer):
                message = (
                    f"{sweep.metric} cannot be ranked where {pointer} differs; received {shown(found.get(pointer))} "
                    f"beside {shown(common.get(pointer))}. Make a sweep of each, or choose by another metric."
                )
                yield candidate.explain(FieldError(pointer, "not_comparable", message))


def _subject(plan: Plan, metric: str) -> dict[str, Any]:
    return subject_of(plan.resolved_spec.model_dump(mode="json", include={"data", "task"}), metric)


def _rung_problems(sweep: SweepSpec, plans: Sequence[Plan]) -> Iterator[FieldError]:
    num_epochs = min(plan.num_epochs for plan in plans)
    if isinstance(sweep.strategy, Halving) and sweep.strategy.min_epochs >= num_epochs:
        message = (
            f"strategy.min_epochs must be below the epochs of every member, for none to be trained without being "
            f"judged; received {sweep.strategy.min_epochs}, and one has {num_epochs}. Lower it, or use strategy grid."
        )
        yield FieldError("/strategy/min_epochs", "no_rung", message)
