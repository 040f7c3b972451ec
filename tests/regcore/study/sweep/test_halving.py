import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from regcore import JobSpec, train
from regcore.study.sweep import decide, parse_sweep, plan_sweep, rungs_of, turns

Make = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("strategy", "num_epochs", "epochs"),
    [
        ({"eta": 3, "min_epochs": 1}, 27, [1, 3, 9]),
        ({"eta": 3, "min_epochs": 1}, 28, [1, 3, 9, 27]),
        ({"eta": 2, "min_epochs": 5}, 20, [5, 10]),
        ({"eta": 3, "min_epochs": 9}, 9, []),
    ],
)
def test_rungs_are_at_powers_of_eta_before_the_end(
    strategy: dict[str, Any], num_epochs: int, epochs: list[int], sweep: Make
) -> None:
    rungs = rungs_of(parse_sweep(sweep(strategy={"kind": "halving", **strategy})), num_epochs)

    assert rungs is not None
    assert (rungs.epochs, rungs.eta, rungs.metric, rungs.mode) == (epochs, strategy["eta"], "validation/loss", "min")


def test_other_strategies_have_no_rungs(sweep: Make) -> None:
    assert rungs_of(parse_sweep(sweep()), 27) is None


@pytest.mark.parametrize(("mode", "best"), [("min", {"0", "1", "2"}), ("max", {"6", "7", "8"})])
def test_the_best_of_each_eta_go_on(mode: Any, best: set[str]) -> None:
    arriving = {str(k): [float(k)] for k in range(9)}

    goes_on = decide({}, arriving, 3, mode)

    assert {name for name, well in goes_on.items() if well} == best


def test_seeds_count_by_their_mean() -> None:
    goes_on = decide({}, {"steady": [2.0, 2.0], "lucky": [0.0, 5.0]}, 2, "min")

    assert goes_on == {"steady": True, "lucky": False}


def test_those_that_were_there_before_count() -> None:
    earlier = {str(k): ([float(k)], True) for k in range(5)}

    assert decide(earlier, {"late": [1.5]}, 3, "min") == {"late": False}
    assert decide(earlier, {"late": [0.5]}, 3, "min") == {"late": True}


def test_the_first_to_come_goes_on() -> None:
    assert decide({}, {"first": [123.0]}, 3, "min") == {"first": True}


@pytest.mark.parametrize("bad", [None, math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_worst(bad: float | None) -> None:
    assert decide({}, {"bad": [bad, 0.0], "good": [9.0]}, 2, "min") == {"bad": False, "good": True}


def test_a_mean_of_huge_values_does_not_overflow() -> None:
    arriving = {"worst": [1.7e308, 1.7e308], "better": [1.5e308, 1.5e308]}

    assert decide({}, arriving, 2, "min") == {"worst": False, "better": True}


def test_where_nothing_is_known_nobody_is_stopped() -> None:
    assert decide({}, {"a": [None], "b": [None]}, 2, "min") == {"a": True, "b": True}


def test_about_one_of_eta_goes_on_even_if_they_come_one_by_one() -> None:
    dice = random.Random(0)
    earlier: dict[str, tuple[list[float], bool]] = {}
    for k in range(900):
        value = dice.random()
        earlier[str(k)] = ([value], decide(earlier, {str(k): [value]}, 3, "min")[str(k)])

    went_on = [values[0] for values, well in earlier.values() if well]

    assert 300 <= len(went_on) < 360
    assert sorted(went_on)[:250] == sorted(values[0] for values, _ in earlier.values())[:250]


def test_of_equals_one_of_eta_goes_on_in_the_order_of_their_coming() -> None:
    together = decide({}, {name: [0.9] for name in "abcde"}, 3, "max")

    assert [name for name, well in together.items() if well] == ["a", "b"]


def test_of_equals_one_of_eta_goes_on_even_if_they_come_one_by_one() -> None:
    earlier: dict[str, tuple[list[float], bool]] = {}
    for k in range(9):
        earlier[str(k)] = ([0.9], decide(earlier, {str(k): [0.9]}, 3, "max")[str(k)])

    assert [well for _, well in earlier.values()] == [True, False, False] * 3


def test_about_one_of_eta_goes_on_where_values_are_coarse() -> None:
    dice = random.Random(0)
    earlier: dict[str, tuple[list[float], bool]] = {}
    for k in range(900):
        value = dice.randrange(4) / 4
        earlier[str(k)] = ([value], decide(earlier, {str(k): [value]}, 3, "max")[str(k)])

    assert sum(well for _, well in earlier.values()) == pytest.approx(300, rel=0.1)


def test_the_same_judgement_is_the_same_in_whatever_order_the_earlier_ones_are_read() -> None:
    dice = random.Random(0)
    earlier = [(str(k), ([round(dice.random(), 1)], dice.random() < 0.5)) for k in range(20)]
    arriving = {f"new {k}": [round(dice.random(), 1)] for k in range(5)}

    judgements = [decide(dict(dice.sample(earlier, k=20)), arriving, 3, "min") for _ in range(10)]

    assert all(judgement == judgements[0] for judgement in judgements)


STRENGTH = "/regularizers/0/strength"


def epochs_trained(losses: dict[float, list[float]], values: list[float], sweep: Make) -> int:
    """What one worker trains that takes a member after the other, given each strength's loss after each epoch."""
    axes = [{"pointer": STRENGTH, "values": values}]
    plan = plan_sweep(sweep(axes=axes, seeds=[0], strategy={"kind": "halving", "eta": 4}))
    judged: dict[int, dict[str, tuple[list[float | None], bool]]] = {1: {}, 4: {}}
    num_epochs = 0
    for turn, candidate in sorted(zip(turns(plan.spec, plan.candidates), plan.candidates, strict=True), key=first):
        for rung in (1, 4, 9):
            stays = rung == 9
            if not stays:
                loss: list[float | None] = [losses[candidate.values[STRENGTH]][rung - 1]]
                stays = decide(judged[rung], {str(turn): loss}, 4, "min")[str(turn)]
                judged[rung][str(turn)] = (loss, stays)
            if rung == 9 or not stays:
                num_epochs += rung
                break
    return num_epochs


def first(pair: tuple[int, Any]) -> int:
    return pair[0]


def test_how_much_is_trained_does_not_depend_on_the_order_of_the_values(sweep: Make) -> None:
    num_rising = num_falling = 0
    for start in range(1, 21):
        values = [start * 10.0 ** (k / 4) for k in range(-24, -8)]
        losses = {value: [value] * 9 for value in values}

        num_rising += epochs_trained(losses, values, sweep)
        num_falling += epochs_trained(losses, values[::-1], sweep)

    assert num_rising == num_falling
    assert num_rising < 20 * 16 * 9 / 2


def test_nor_does_it_with_the_losses_of_real_training(sweep: Make, base: dict[str, Any]) -> None:
    values = [10.0 ** (k / 2) for k in range(-8, 0)]
    losses = {}
    for value in values:
        spec = {**base, "regularizers": [{"kind": "l1", "strength": value}]}
        losses[value] = [record["values"]["validation/loss"] for record in train(JobSpec(**spec)).history]

    weakest_last, weakest_first = (epochs_trained(losses, order, sweep) for order in (values[::-1], values))

    assert [len(per_epoch) for per_epoch in losses.values()] == [9] * 8
    assert weakest_last == weakest_first
    assert weakest_last < 8 * 9 * 2 / 3


def test_seeds_of_a_candidate_start_together_and_no_two_candidates_do(sweep: Make) -> None:
    axes = [{"pointer": STRENGTH, "values": [1.0, 2.0, 3.0, 4.0]}]
    variants = [{"name": "a"}, {"name": "b"}]

    plan = plan_sweep(sweep(axes=axes, variants=variants, strategy={"kind": "halving"}))

    assert sorted(turns(plan.spec, plan.candidates)) == list(range(8))


def test_where_nobody_is_stopped_all_start_in_their_own_order(sweep: Make) -> None:
    plan = plan_sweep(sweep(axes=[{"pointer": STRENGTH, "values": [1.0, 2.0]}]))

    assert turns(plan.spec, plan.candidates) == [0, 0]
