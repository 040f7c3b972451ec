import time
from types import SimpleNamespace
from typing import Any

import pytest

from regclient.cli.trial_run import LEAST_S, OVERTIME, Budget, Combination, Round, by_shared_seeds, combine
from regclient.display.variant_outcomes import Trial

TOGETHER = "l1 + dropout"


def test_a_large_budget_is_divided_and_a_small_one_is_not() -> None:
    now = time.monotonic()

    large, small = Budget(600, now), Budget(20, now)

    assert large.of_first_round_s == pytest.approx(0.65 * large.left_s, abs=0.1)
    assert small.of_first_round_s == pytest.approx(small.left_s, abs=0.1)


def test_what_runs_is_cut_before_the_budget_is_exceeded_by_half() -> None:
    budget = Budget(100, time.monotonic() - 10)

    assert 0 < budget.until_cut_s < OVERTIME * 100 - 10
    assert Budget(100, time.monotonic() - 200).until_cut_s == 1.0


def test_a_tiny_budget_is_not_cut_before_anything_can_have_ended() -> None:
    assert OVERTIME * 5 < Budget(5, time.monotonic()).until_cut_s < LEAST_S


def second_round(losses: dict[str, float | None], verdict: str = "helps") -> Any:
    """A round whose sweep has these best losses; together against the better one of the two has this verdict."""
    leaders = [
        {"variant": name, "objective": {"mean": loss}, "job_ids": [f"job of {name}"]} for name, loss in losses.items()
    ]
    asked: list[str] = []

    def comparison(baseline: str) -> Any:
        asked.append(baseline)
        return {"differences": [{"group": TOGETHER, "verdict": verdict, "difference": {"value": -0.1}}]}

    spec = {"variants": [{"name": name} for name in ("nothing", "l1", "dropout", TOGETHER)]}
    sweep: Any = SimpleNamespace(leaderboard=leaders, spec=spec, comparison=comparison, asked=asked)
    return Round(sweep, Trial("test/loss", []), None, "")


def cut_short(changes: dict[str, float | None], seed_of_nothing: float | None = 0.5) -> Any:
    """A sweep whose variants have these paired differences, and whose means say the opposite."""
    names = [*changes, "nothing"]
    means = {name: float(place) for place, name in enumerate(names)} | {"nothing": seed_of_nothing}
    leaders = [{"variant": name, "objective": {"mean": means[name]}} for name in names]
    differences = [{"group": name, "difference": {"value": value}} for name, value in changes.items()]
    spec = {"objective": {"metric": "validation/loss"}}
    return SimpleNamespace(leaderboard=leaders, spec=spec, comparison=lambda *_, **__: {"differences": differences})


def test_a_sweep_that_was_cut_short_is_ranked_by_the_seeds_that_all_have() -> None:
    ranked = by_shared_seeds(cut_short({"l1": 0.3, "l2": None, "dropout": -0.2}))

    assert [leader["variant"] for leader in ranked] == ["dropout", "nothing", "l1", "l2"]


def test_without_the_network_alone_means_are_all_there_is() -> None:
    ranked = by_shared_seeds(cut_short({"l1": 0.3, "dropout": -0.2}, seed_of_nothing=None))

    assert [leader["variant"] for leader in ranked] == ["l1", "dropout"]


FIRST: Any = Round(SimpleNamespace(), Trial("test/loss", []), None, "")  # type: ignore[arg-type] # it is not looked at


@pytest.mark.parametrize(("verdict", "wins"), [("helps", True), ("no_measurable_effect", False), ("hurts", False)])
def test_two_together_win_only_if_they_help_beside_the_better_one_alone(verdict: str, wins: bool) -> None:
    second = second_round({TOGETHER: 0.1, "dropout": 0.2, "nothing": 0.25, "l1": 0.3}, verdict)

    found = combine([FIRST, second])

    assert found == Combination(TOGETHER, "dropout", verdict, {"value": -0.1}, f"job of {TOGETHER}")
    assert found.wins is wins
    assert second.sweep.asked == ["dropout"]


@pytest.mark.parametrize(
    "losses", [{"l1": 0.1, "nothing": 0.2}, {TOGETHER: 0.1, "nothing": 0.2}, {TOGETHER: None, "l1": 0.1}]
)
def test_without_the_two_or_one_alone_nothing_is_said(losses: dict[str, float | None]) -> None:
    assert combine([FIRST, second_round(losses)]) is None
    assert combine([FIRST]) is None
