from dataclasses import replace
from typing import Any

from api.sweeps.leaderboard import by_candidate, leaderboard
from jobs.states import JobState

STRENGTH = "/regularizers/0/strength"


def test_members_are_grouped_by_what_they_are_but_for_the_seed(member: Any) -> None:
    members = [member("1", 0, 0.5), member("2", 0, 0.5), member("1", 1, 0.5)]

    assert [[one.seed for one in same] for same in by_candidate(members).values()] == [[0, 1], [0]]


def test_a_leader_lists_its_jobs_and_their_states(along_an_axis: Any, member: Any) -> None:
    members = [member("1", 0, 0.5), member("1", 1, None, JobState.RUNNING), member("2", 0, 0.9), member("2", 1, 0.9)]

    first, second = leaderboard(along_an_axis, members)

    assert (first["rank"], first["job_ids"], first["states"]) == (1, ["job_2_0", "job_2_1"], {"succeeded": 2})
    assert (second["rank"], second["states"]) == (2, {"succeeded": 1, "running": 1})


def test_who_diverged_comes_behind_who_was_halved(along_an_axis: Any, member: Any) -> None:
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
