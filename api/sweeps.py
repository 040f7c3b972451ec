"""From a sweep's body to its stored members, and from these to what the sweep's own page says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from api.services import Services
from api.sources import check_sources
from api.submissions import new_job
from jobs.model import Json, NewJob, NewSweep, Sweep, SweepMember
from jobs.states import TERMINAL
from regcore.sweep import PlannedMember, SweepPlan, SweepSpec, plan_sweep, rungs_of

MAX_LEADERS = 1000
"""Entries of a leaderboard; a sweep may have more combinations."""
MAX_HINTS = 32
"""Messages for a new sweep. Each wakes one worker, which goes on to the next members by itself."""


def plan_members(services: Services, tenant: str, body: Any) -> SweepPlan:
    """Return the plan of a sweep that the server accepts, with all its members.

    Raises:
        SpecError: It does not; every wrong place is named.
    """
    limits = services.settings
    plan = plan_sweep(body, services.ceilings, limits.max_sweep_members, limits.max_sweep_bytes)
    check_sources(services, tenant, (member.plan for member in plan.members), at="/base")
    return plan


def new_sweep(plan: SweepPlan) -> NewSweep:
    """Return a sweep to store."""
    places = {id(candidate): str(place) for place, candidate in enumerate(plan.candidates)}
    members = [_new_member(plan.spec, member, places[id(member.candidate)]) for member in plan.members]
    return NewSweep(plan.spec.name, plan.spec.labels, plan.spec.model_dump(mode="json", by_alias=True), members)


def _new_member(sweep: SweepSpec, member: PlannedMember, candidate: str) -> NewJob:
    place: Json = {
        "variant": member.candidate.variant,
        "values": member.candidate.values,
        "seed": member.seed,
        "candidate": candidate,
    }
    rungs = rungs_of(sweep, member.plan.num_epochs)
    if rungs is not None:
        place["rungs"] = asdict(rungs)
    return new_job(member.spec, member.plan, sweep=place)


def spec_of(sweep: Sweep) -> SweepSpec:
    """The spec of a stored sweep."""
    return SweepSpec.model_validate(sweep.spec)


def by_candidate(members: Sequence[SweepMember]) -> dict[str, list[SweepMember]]:
    """Members that differ in their seed alone, together; in the order of their making."""
    found: dict[str, list[SweepMember]] = {}
    for member in members:
        found.setdefault(member.candidate, []).append(member)
    return found


def leaderboard(spec: SweepSpec, members: Sequence[SweepMember]) -> list[Json]:
    """Every combination from best to last, as far as its members have come."""
    from regcore.statistics import rank  # with NumPy

    candidates = by_candidate(members)
    ranked = rank({name: [one.objective for one in same] for name, same in candidates.items()}, spec.mode)
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


def best(services: Services, tenant: str, leaders: Sequence[Mapping[str, Any]]) -> Json | None:
    """The first of a leaderboard, with the spec to train it again; None before any member has succeeded."""
    if not leaders or leaders[0]["objective"]["mean"] is None:
        return None
    leader = {name: leaders[0][name] for name in ("variant", "values", "objective", "job_ids")}
    return {**leader, "spec": services.store.get(tenant, leader["job_ids"][0]).resolved_spec}


def path(spec: SweepSpec, members: Sequence[SweepMember]) -> Json:
    """What happens along the sweep's one numeric axis, as far as its members have ended.

    Args:
        spec: Of a sweep with a `path_axis`.
        members: With their results.
    """
    from regcore.statistics import PathPoint, regularization_path

    assert spec.path_axis is not None, "the caller has looked"
    pointer = spec.path_axis.pointer
    points = [
        PathPoint(float(same[0].values[pointer]), [one.result for one in same if one.state in TERMINAL])
        for same in by_candidate(members).values()
    ]
    stronger: Literal["smaller", "larger"] = "smaller" if pointer.endswith("/max_value") else "larger"
    return {"pointer": pointer, **regularization_path(points, spec.metric, spec.mode, stronger=stronger)}
