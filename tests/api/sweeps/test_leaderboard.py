from dataclasses import replace
from typing import Any

import pytest

from api.services import Services
from api.sweeps.leaderboard import by_candidate, leaderboard, new_sweep, path_along, plan_members
from jobs.model import SweepMember
from jobs.states import JobState
from regcore.study.statistics import Resplits
from regcore.study.sweep import parse_sweep

Json = dict[str, Any]
STRENGTH = "/regularizers/0/strength"
LOSSES = {"1": (0.31, 0.29), "2": (0.28, 0.32), "3": (0.27, 0.31)}


def member(candidate: str, seed: int, objective: float | None, state: JobState = JobState.SUCCEEDED) -> SweepMember:
    result = None if objective is None else {"metrics": {"validation/loss": objective}}
    values = {STRENGTH: float(candidate)}
    return SweepMember(f"job_{candidate}_{seed}", state, candidate, None, values, seed, objective, result)


def test_where_seeds_draw_their_splits_the_first_is_trained_in_every_combination_first(
    services: Services, sweep_spec: Json
) -> None:
    members = new_sweep(plan_members(services, "default", {**sweep_spec, "seeds": [7, 3], "vary_split": True})).members

    assert [((one.sweep or {})["seed"], one.turn) for one in members] == [(7, 0), (3, 1)] * 3


@pytest.fixture
def along_an_axis(spec: Json) -> Any:
    """The spec of a sweep over one axis, with two seeds."""
    return parse_sweep({"base": spec, "axes": [{"pointer": STRENGTH, "values": [1, 2, 3]}], "seeds": [0, 1]})


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


def test_members_of_a_halving_start_in_another_order_than_that_of_their_values(
    services: Services, sweep_spec: Json
) -> None:
    sweep_spec["axes"][0] = {"pointer": STRENGTH, "values": [10.0**-k for k in range(1, 9)]}
    sweep_spec["strategy"] = {"kind": "halving"}
    sweep_spec["base"]["training"]["epochs"] = 10

    members = new_sweep(plan_members(services, "default", sweep_spec)).members

    turns = [member.turn for member in members]
    assert turns[::2] == turns[1::2]  # a candidate's two seeds
    assert sorted(turns[::2]) == list(range(8)) != turns[::2]


def test_members_are_grouped_by_what_they_are_but_for_the_seed() -> None:
    members = [member("1", 0, 0.5), member("2", 0, 0.5), member("1", 1, 0.5)]

    assert [[one.seed for one in same] for same in by_candidate(members).values()] == [[0, 1], [0]]


def test_a_leader_lists_its_jobs_and_their_states(along_an_axis: Any) -> None:
    members = [member("1", 0, 0.5), member("1", 1, None, JobState.RUNNING), member("2", 0, 0.9), member("2", 1, 0.9)]

    first, second = leaderboard(along_an_axis, members)

    assert (first["rank"], first["job_ids"], first["states"]) == (1, ["job_2_0", "job_2_1"], {"succeeded": 2})
    assert (second["rank"], second["states"]) == (2, {"succeeded": 1, "running": 1})


def test_who_diverged_comes_behind_who_was_halved(along_an_axis: Any) -> None:
    members = [
        replace(member(name, seed, None, state), was_halved=halved, rung=rung, rung_value=value)
        for name, state, halved, rung, value in (
            ("1", JobState.FAILED, False, 4, 0.1),
            ("2", JobState.CANCELLED, True, 1, 0.2),
            ("3", JobState.CANCELLED, True, 4, 0.9),
            ("4", JobState.CANCELLED, False, 0, None),
            ("5", JobState.RUNNING, False, 0, None),
        )
        for seed in (0, 1)
    ]

    leaders = leaderboard(along_an_axis, members)

    assert [one["values"][STRENGTH] for one in leaders] == [5.0, 3.0, 2.0, 1.0, 4.0]


@pytest.mark.parametrize(("stronger", "chosen"), [("smaller", 1.0), ("larger", 3.0), (None, None)])
def test_the_simplest_of_what_is_as_good_lies_at_the_stronger_end(
    stronger: Any, chosen: float | None, along_an_axis: Any
) -> None:
    members = [member(name, seed, LOSSES[name][seed]) for name in LOSSES for seed in (0, 1)]

    said = path_along(along_an_axis, members, stronger)

    assert (said["best_value"], said["one_standard_error_value"]) == (3.0, chosen)


def test_a_path_and_a_leaderboard_agree_on_who_is_complete(along_an_axis: Any) -> None:
    """One whose other seed waits, one whose other seed was deleted, one that failed, and one that is whole."""
    members = [
        member("1", 0, 0.1),
        member("1", 1, None, JobState.QUEUED),
        member("2", 0, 0.1),
        member("3", 0, 0.1),
        member("3", 1, None, JobState.FAILED),
        member("4", 0, 0.9),
        member("4", 1, 0.9),
    ]

    said, leaders = path_along(along_an_axis, members, "larger"), leaderboard(along_an_axis, members)

    assert said["best_value"] == leaders[0]["values"][STRENGTH] == 4.0
    assert [(point["num"], point["num_missing"]) for point in said["points"]] == [(1, 1), (1, 1), (1, 1), (2, 0)]
    assert {leader["objective"]["num_missing"] for leader in leaders[1:]} == {1}
    assert said["note"] == "1 of 7 members have not ended, so what stands out may change."


def test_one_number_written_in_two_ways_is_one_point(along_an_axis: Any) -> None:
    members = [member(name, seed, 0.5) for name in ("0", "0.0", "1") for seed in (0, 1)]

    assert [point["value"] for point in path_along(along_an_axis, members, "larger")["points"]] == [0, 1]


def test_splits_drawn_anew_widen_path_and_leaderboard(along_an_axis: Any) -> None:
    members = [member(name, seed, LOSSES[name][seed]) for name in LOSSES for seed in (0, 1)]
    resplits = Resplits(60, 30, 10, draws_test=True)

    plain, anew = leaderboard(along_an_axis, members)[0], leaderboard(along_an_axis, members, resplits)[0]
    point = path_along(along_an_axis, members, "larger", resplits)["points"][2]

    # √(1/2 + 30/60) over √(1/2)
    width, wider = (one["objective"]["high"] - one["objective"]["low"] for one in (plain, anew))
    assert wider == pytest.approx(2**0.5 * width)
    assert point["metrics"]["validation/loss"]["high"] == anew["objective"]["high"]
