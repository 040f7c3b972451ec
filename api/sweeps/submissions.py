"""From a sweep's body to the members to store."""

from dataclasses import asdict, replace
from typing import Any

from api.datasets.tables import facts_of
from api.jobs.inputs import input_check
from api.jobs.placement import placement_warnings
from api.jobs.submissions import new_job
from api.services import Services
from jobs.model import Json, NewJob, NewSweep
from regcore.study.sweep import PlannedMember, SweepPlan, SweepSpec, plan_sweep, rungs_of, turns

MAX_HINTS = 32
"""Messages for a new sweep. Each wakes one worker, which then claims further members by itself."""


def plan_members(services: Services, tenant: str, body: Any) -> SweepPlan:
    """Return the plan of a sweep that the server accepts, with all its members.

    Raises:
        SpecError: The server does not accept it; every wrong place is named.
    """
    limits = services.settings
    check = input_check(services, tenant)
    return plan_sweep(
        body,
        services.ceilings,
        limits.max_sweep_members,
        limits.max_sweep_bytes,
        check,
        facts_of=facts_of(services, tenant),
    )


def placed_sweep(services: Services, plan: SweepPlan) -> SweepPlan:
    """Return the plan, with a warning for what its members ask for that no ready worker has."""
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
