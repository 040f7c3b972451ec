"""From a sweep's members to its leaderboard."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from api.jobs.splits import resplits_of
from api.services import Services
from jobs.model import Json, Sweep, SweepMember
from jobs.states import TERMINAL
from regcore.study.sweep import SweepSpec, fewer_than_asked

if TYPE_CHECKING:
    from regcore.study.statistics import Resplits, Standing

MAX_LEADERS = 1000
"""Entries of a leaderboard; a sweep may have more combinations."""


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
        name: [one.objective if one else None for one in by_seed(spec, same)] for name, same in candidates.items()
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


def by_seed(spec: SweepSpec, same: Sequence[SweepMember]) -> list[SweepMember | None]:
    """A combination's member for each seed; None for one that was deleted, because its sweep is being deleted."""
    found = {one.seed: one for one in same}
    return [found.get(seed) for seed in spec.seeds]
