from typing import Any

import pytest

from api.services import Services
from api.sweeps import by_candidate, leaderboard, new_sweep, path, plan_members
from jobs.model import SweepMember
from jobs.states import JobState
from regcore.sweep import parse_sweep

Json = dict[str, Any]
MAX_NORM = "/regularizers/0/max_value"


def member(candidate: str, seed: int, objective: float | None, state: JobState = JobState.SUCCEEDED) -> SweepMember:
    result = None if objective is None else {"metrics": {"validation/loss": objective}}
    values = {MAX_NORM: float(candidate)}
    return SweepMember(f"job_{candidate}_{seed}", state, candidate, None, values, seed, objective, result)


@pytest.fixture
def along_a_bound(spec: Json) -> Any:
    """The spec of a sweep over a bound, of which a smaller one regularizes more."""
    return parse_sweep({"base": spec, "axes": [{"pointer": MAX_NORM, "values": [1, 2, 3]}], "seeds": [0, 1]})


def test_each_member_knows_its_place(services: Services, sweep_spec: Json) -> None:
    sweep = new_sweep(plan_members(services, "default", sweep_spec))

    assert [(one.sweep or {})["candidate"] for one in sweep.members] == ["0", "0", "1", "1", "2", "2"]
    assert all("rungs" not in (one.sweep or {}) for one in sweep.members)
    assert len({one.fusion_key for one in sweep.members}) == 1
    assert sweep.spec["base"] == sweep_spec["base"]


def test_members_of_a_halving_know_their_rungs(services: Services, sweep_spec: Json) -> None:
    sweep_spec["base"]["training"]["epochs"] = 10
    strategy = {"kind": "halving", "eta": 3, "min_epochs": 1}

    sweep = new_sweep(plan_members(services, "default", {**sweep_spec, "strategy": strategy}))

    rungs = (sweep.members[0].sweep or {})["rungs"]
    assert rungs == {"epochs": [1, 3, 9], "eta": 3, "metric": "validation/loss", "mode": "min"}


def test_members_are_grouped_by_what_they_are_but_for_the_seed() -> None:
    members = [member("1", 0, 0.5), member("2", 0, 0.5), member("1", 1, 0.5)]

    assert [[one.seed for one in same] for same in by_candidate(members).values()] == [[0, 1], [0]]


def test_a_leader_lists_its_jobs_and_their_states(along_a_bound: Any) -> None:
    members = [member("1", 0, 0.5), member("1", 1, None, JobState.RUNNING), member("2", 0, 0.9), member("2", 1, 0.9)]

    first, second = leaderboard(along_a_bound, members)

    assert (first["rank"], first["job_ids"], first["states"]) == (1, ["job_2_0", "job_2_1"], {"succeeded": 2})
    assert (second["rank"], second["states"]) == (2, {"succeeded": 1, "running": 1})


def test_a_smaller_bound_is_the_stronger_one(along_a_bound: Any) -> None:
    losses = {"1": (0.31, 0.29), "2": (0.28, 0.32), "3": (0.27, 0.31)}
    members = [member(name, seed, losses[name][seed]) for name in losses for seed in (0, 1)]

    said = path(along_a_bound, members)

    assert (said["best_value"], said["one_standard_error_value"]) == (3.0, 1.0)
