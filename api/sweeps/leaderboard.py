"""From a sweep's body to its stored members, and from these to its leaderboard and path."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Literal

from api.datasets.tables import facts_of
from api.jobs.inputs import source_check
from api.jobs.placement import placement_warnings
from api.jobs.splits import resplits_of
from api.jobs.submissions import new_job
from api.services import Services
from jobs.model import Json, NewJob, NewSweep, Sweep, SweepMember
from jobs.states import TERMINAL
from regcore.study.sweep import (
    PlannedMember,
    SweepPlan,
    SweepSpec,
    fewer_than_asked,
    plan_sweep,
    rungs_of,
    stronger_end,
    turns,
)

if TYPE_CHECKING:
    from regcore.study.statistics import Resplits, Standing

MAX_LEADERS = 1000
"""Entries of a leaderboard; a sweep may have more combinations."""
MAX_HINTS = 32
"""Messages for a new sweep. Each wakes one worker, which then claims further members by itself."""
UNFINISHED = "{num} of {all} members have not ended, so what stands out may change."


def plan_members(services: Services, tenant: str, body: Any) -> SweepPlan:
    """Return the plan of a sweep that the server accepts, with all its members.

    Raises:
        SpecError: The server does not accept it; every wrong place is named.
    """
    limits = services.settings
    check = source_check(services, tenant)
    return plan_sweep(
        body,
        services.ceilings,
        limits.max_sweep_members,
        limits.max_sweep_bytes,
        check,
        facts_of=facts_of(services, tenant),
    )


def placed_sweep(services: Services, plan: SweepPlan) -> SweepPlan:
    """Return the plan, with a warning for each device or pool of its members that no ready worker has."""
    waiting = placement_warnings(services, (member.plan for member in plan.members))
    return replace(plan, warnings=[*plan.warnings, *waiting])


def new_sweep(plan: SweepPlan) -> NewSweep:
    """Return a sweep to store."""
    places = {id(candidate): str(place) for place, candidate in enumerate(plan.candidates)}
    turn_of = dict(zip(places.values(), turns(plan.spec, plan.candidates), strict=True))
    members = [
        _new_member(plan.spec, member, place, turn_of[place] + _turn_of_seed(plan.spec, member.seed))
        for member, place in ((member, places[id(member.candidate)]) for member in plan.members)
    ]
    return NewSweep(plan.spec.name, plan.spec.labels, plan.spec.model_dump(mode="json", by_alias=True), members)


def _new_member(sweep: SweepSpec, member: PlannedMember, candidate: str, turn: int) -> NewJob:
    place: Json = {
        "variant": member.candidate.variant,
        "values": member.candidate.values,
        "seed": member.seed,
        "candidate": candidate,
    }
    rungs = rungs_of(sweep, member.plan.num_epochs)
    if rungs is not None:
        place["rungs"] = asdict(rungs)
    return new_job(member.spec, member.plan, sweep=place, turn=turn)


def _turn_of_seed(sweep: SweepSpec, seed: int) -> int:
    """The place of a seed in the order of training, where seeds draw splits of their own.

    These train in passes of their own. So every combination is trained with the first seed before any with the second:
    what has ended can be compared at any time, also if the sweep is cancelled. A halving keeps its own order.
    """
    return sweep.seeds.index(seed) if sweep.vary_split and sweep.strategy.kind != "halving" else 0


def spec_of(sweep: Sweep) -> SweepSpec:
    """The spec of a stored sweep."""
    return SweepSpec.model_validate(sweep.spec)


def by_candidate(members: Sequence[SweepMember]) -> dict[str, list[SweepMember]]:
    """Members grouped by candidate, in the order in which they were created."""
    found: dict[str, list[SweepMember]] = {}
    for member in members:
        found.setdefault(member.candidate, []).append(member)
    return found


def leaderboard(spec: SweepSpec, members: Sequence[SweepMember], resplits: "Resplits | None" = None) -> list[Json]:
    """Every combination from best to worst, by its members so far."""
    from regcore.study.statistics import rank  # imports NumPy

    candidates = by_candidate(members)
    standings = {name: _standing(same) for name, same in candidates.items()}
    objectives = {
        name: [one.objective if one else None for one in _by_seed(spec, same)] for name, same in candidates.items()
    }
    ratio = resplits.ratio(spec.metric) if resplits else None
    ranked = rank(objectives, spec.mode, resplit_ratio=ratio, standings=standings)
    return [
        {
            "rank": place,
            "variant": candidates[name][0].variant,
            "values": candidates[name][0].values,
            "objective": summary,
            "states": dict(Counter(one.state.value for one in candidates[name])),
            "job_ids": [one.id for one in candidates[name]],
        }
        for place, (name, summary) in enumerate(ranked, start=1)
    ]


def _standing(same: Sequence[SweepMember]) -> "Standing":
    from regcore.study.statistics import Standing

    is_lost = any(one.state in TERMINAL and one.objective is None and not one.was_halved for one in same)
    epoch = max(one.rung for one in same)
    there = [one.rung_value for one in same if one.rung == epoch > 0]
    outcome: Literal["open", "halved", "lost"] = (
        "lost" if is_lost else "halved" if any(one.was_halved for one in same) else "open"
    )
    return Standing(outcome, epoch, there)


def sweep_warnings(sweep: Sweep, spec: SweepSpec, members: Sequence[SweepMember]) -> list[Json]:
    """The warnings of a sweep itself; none while the sweep is being deleted."""
    if len(members) < sweep.num_members:
        return []
    made = [(same[0].variant, same[0].values) for same in by_candidate(members).values()]
    return [warning.model_dump(mode="json") for warning in fewer_than_asked(spec, made)]


def best(services: Services, tenant: str, leaders: Sequence[Mapping[str, Any]]) -> Json | None:
    """The first entry of a leaderboard, with the spec to train it again; None before any member has succeeded."""
    if not leaders or leaders[0]["objective"]["mean"] is None:
        return None
    leader = {name: leaders[0][name] for name in ("variant", "values", "objective", "job_ids")}
    return {**leader, "spec": services.store.get(tenant, leader["job_ids"][0]).resolved_spec}


def find_resplits(services: Services, sweep: Sweep, members: Sequence[SweepMember]) -> "Resplits | None":
    """The sizes of the splits that each seed of a sweep draws, by its first member; None if seeds share splits."""
    if not spec_of(sweep).vary_split or not members:
        return None
    return resplits_of(services.store.get(sweep.tenant, members[0].id))


def path(services: Services, sweep: Sweep) -> Json:
    """The path of a sweep with a `path_axis`, from the members that have ended."""
    spec = spec_of(sweep)
    assert spec.path_axis is not None, "the caller has looked"
    pointer = spec.path_axis.pointer
    members = services.store.sweep_members(sweep.tenant, sweep.id, spec.metric, with_results=True)
    stronger = None
    if members:
        stronger = stronger_end(pointer, services.store.get(sweep.tenant, members[0].id).resolved_spec)
    said = path_along(spec, members, stronger, find_resplits(services, sweep, members))
    return {"pointer": pointer, **said}


def path_along(
    spec: SweepSpec,
    members: Sequence[SweepMember],
    stronger: Literal["larger", "smaller"] | None,
    resplits: "Resplits | None" = None,
) -> Json:
    """The path of members whose results were read; see `regularization_path`."""
    from regcore.study.statistics import PathPoint, regularization_path

    assert spec.path_axis is not None, "the caller has looked"
    points: dict[float, PathPoint] = {}
    for same in by_candidate(members).values():
        value = float(same[0].values[spec.path_axis.pointer])
        results = [one.result if one else None for one in _by_seed(spec, same)]
        points.setdefault(value, PathPoint(value, results))  # 0 and 0.0 are one value
    said = regularization_path(list(points.values()), spec.metric, spec.mode, stronger=stronger, resplits=resplits)
    num_waiting = sum(one.state not in TERMINAL for one in members)
    if num_waiting:
        said["note"] = " ".join(filter(None, [UNFINISHED.format(num=num_waiting, all=len(members)), said["note"]]))
    return said


def _by_seed(spec: SweepSpec, same: Sequence[SweepMember]) -> list[SweepMember | None]:
    """A combination's member for each seed; None for one that was deleted, because its sweep is being deleted."""
    found = {one.seed: one for one in same}
    return [found.get(seed) for seed in spec.seeds]
