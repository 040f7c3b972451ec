import math
from typing import Any

import pytest

from regcore.study.statistics import Standing, rank


@pytest.mark.parametrize(("mode", "names"), [("min", ["a", "b", "c"]), ("max", ["c", "b", "a"])])
def test_candidates_come_from_best_to_last(mode: Any, names: list[str]) -> None:
    ranked = rank({"b": [2.0, 2.2], "c": [3.0, 3.0], "a": [1.0, 1.5]}, mode)

    assert [name for name, _ in ranked] == names


def test_the_score_is_the_mean_over_seeds_with_its_interval() -> None:
    ((_, score),) = rank({"a": [1.0, 3.0, None]}, "min")

    assert score["mean"] == 2.0
    assert (score["num"], score["num_missing"]) == (2, 1)
    assert score["low"] == pytest.approx(2 - 12.7062 * 1.0, rel=1e-4)  # t(1) · s / √2


def test_splits_drawn_anew_widen_the_interval() -> None:
    ((_, score),) = rank({"a": [1.0, 3.0]}, "min", resplit_ratio=0.5)

    assert score["low"] == pytest.approx(2 - 12.7062 * 2**0.5, rel=1e-4)  # t(1) · s · √(1/2 + ratio)


def test_one_that_lacks_a_seed_comes_behind_all_that_lack_none() -> None:
    ranked = rank({"lucky": [0.1, None], "whole": [5.0, 6.0], "none": [None, math.nan]}, "min")

    assert [name for name, _ in ranked] == ["whole", "lucky", "none"]
    assert ranked[-1][1]["mean"] is None


def test_of_equals_the_earlier_comes_first() -> None:
    assert [name for name, _ in rank({"z": [1.0], "a": [1.0]}, "max")] == ["z", "a"]


@pytest.mark.parametrize(("mode", "better", "worse"), [("min", 0.3, 0.7), ("max", 0.7, 0.3)])
def test_those_without_a_value_are_ranked_by_how_and_how_far_they_came(mode: Any, better: float, worse: float) -> None:
    standings = {
        "diverged": Standing("lost", 0),
        "diverged late": Standing("lost", 4, [better]),
        "halved at 1": Standing("halved", 1, [better]),
        "worse at 4": Standing("halved", 4, [worse, worse]),
        "better at 4": Standing("halved", 4, [better, better]),
        "not finite at 4": Standing("halved", 4, [better, None]),
        "queued": Standing(),
        "running": Standing("open", 1, [worse]),
        "won": Standing("open", 4, [worse]),
    }
    candidates: dict[str, list[float | None]] = {name: [None, None] for name in standings}
    candidates["won"] = [worse, worse]

    ranked = rank(candidates, mode, standings=standings)

    assert [name for name, _ in ranked] == [
        "won",
        "running",
        "queued",
        "better at 4",
        "worse at 4",
        "not finite at 4",
        "halved at 1",
        "diverged late",
        "diverged",
    ]


def test_a_mean_of_huge_values_does_not_overflow() -> None:
    ranked = rank({"huge": [1.5e308, 1.7e308], "smaller": [1.5e308, 1.5e308]}, "min")

    assert [(name, score["mean"]) for name, score in ranked] == [
        ("smaller", pytest.approx(1.5e308)),
        ("huge", pytest.approx(1.6e308)),
    ]
