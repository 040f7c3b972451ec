from typing import Any

import pytest

from api.sweeps.leaderboard import leaderboard
from api.sweeps.paths import path_along
from jobs.states import JobState
from regcore.study.statistics import Resplits

STRENGTH = "/regularizers/0/strength"
LOSSES = {"1": (0.31, 0.29), "2": (0.28, 0.32), "3": (0.27, 0.31)}


@pytest.mark.parametrize(("stronger", "chosen"), [("smaller", 1.0), ("larger", 3.0), (None, None)])
def test_the_simplest_of_what_is_as_good_lies_at_the_stronger_end(
    stronger: Any, chosen: float | None, along_an_axis: Any, member: Any
) -> None:
    members = [member(name, seed, LOSSES[name][seed]) for name in LOSSES for seed in (0, 1)]

    said = path_along(along_an_axis, members, stronger)

    assert (said["best_value"], said["one_standard_error_value"]) == (3.0, chosen)


def test_a_path_and_a_leaderboard_agree_on_who_is_complete(along_an_axis: Any, member: Any) -> None:
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


def test_one_number_written_in_two_ways_is_one_point(along_an_axis: Any, member: Any) -> None:
    members = [member(name, seed, 0.5) for name in ("0", "0.0", "1") for seed in (0, 1)]

    assert [point["value"] for point in path_along(along_an_axis, members, "larger")["points"]] == [0, 1]


def test_splits_drawn_anew_widen_path_and_leaderboard(along_an_axis: Any, member: Any) -> None:
    members = [member(name, seed, LOSSES[name][seed]) for name in LOSSES for seed in (0, 1)]
    resplits = Resplits(60, 30, 10, draws_test=True)

    plain, anew = leaderboard(along_an_axis, members)[0], leaderboard(along_an_axis, members, resplits)[0]
    point = path_along(along_an_axis, members, "larger", resplits)["points"][2]

    # √(1/2 + 30/60) over √(1/2)
    width, wider = (one["objective"]["high"] - one["objective"]["low"] for one in (plain, anew))
    assert wider == pytest.approx(2**0.5 * width)
    assert point["metrics"]["validation/loss"]["high"] == anew["objective"]["high"]
