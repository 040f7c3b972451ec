"""The path of a sweep: its metrics along one axis."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from api.services import Services
from api.sweeps.leaderboard import by_candidate, by_seed, find_resplits, spec_of
from jobs.model import Json, Sweep, SweepMember
from jobs.states import TERMINAL
from regcore.study.sweep import SweepSpec, stronger_end

if TYPE_CHECKING:
    from regcore.study.statistics import Resplits

UNFINISHED = "{num} of {all} members have not ended, so what stands out may change."


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
        results = [one.result if one else None for one in by_seed(spec, same)]
        points.setdefault(value, PathPoint(value, results))  # 0 and 0.0 are one value
    said = regularization_path(list(points.values()), spec.metric, spec.mode, stronger=stronger, resplits=resplits)
    num_waiting = sum(one.state not in TERMINAL for one in members)
    if num_waiting:
        said["note"] = " ".join(filter(None, [UNFINISHED.format(num=num_waiting, all=len(members)), said["note"]]))
    return said
