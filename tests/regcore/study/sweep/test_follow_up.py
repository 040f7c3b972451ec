from typing import Any

import pytest

from regcore.errors import SpecError
from regcore.study.sweep import plan_sweep, suggest_next, suggest_sweep

FIRST = suggest_sweep({"kind": "builtin", "name": "wine"}, budget_s=3_600).sweep


def leader(variant: str, value: float | None, mean: float | None) -> dict[str, Any]:
    values = {} if value is None else {"/regularizers/0/x": value}
    return {"variant": variant, "values": values, "objective": {"mean": mean}}


def test_the_best_two_regularizers_are_tried_together_beside_each_alone_and_nothing() -> None:
    leaders = [
        leader("linear", 0.01, 0.1),
        leader("dropout", 0.5, 0.2),
        leader("dropout", 0.7, 0.3),
        leader("l1", 1e-3, 0.4),
        leader("nothing", None, 0.5),
    ]

    suggestion = suggest_next(FIRST, leaders, budget_s=3_600)

    sweep = suggestion.sweep
    assert [variant["name"] for variant in sweep["variants"]] == ["nothing", "dropout", "l1", "dropout + l1"]
    assert [axis["values"] for axis in sweep["variants"][3]["axes"]] == [[0.35, 0.5, 0.7], [3e-4, 1e-3, 3e-3]]
    assert not set(sweep["seeds"]) & set(FIRST["seeds"])
    assert len(plan_sweep(sweep).members) == 10 * (1 + 3 + 3 + 9)
    assert "dropout and l1" in suggestion.reason


def test_two_ways_to_do_the_same_are_no_pair() -> None:
    leaders = [leader("l2", 1e-2, 0.1), leader("weight_decay", 0.3, 0.2), leader("early_stopping", 4, 0.3)]

    sweep = suggest_next(FIRST, leaders, budget_s=3_600).sweep

    assert sweep["variants"][-1]["name"] == "l2 + early_stopping"


def test_a_smaller_budget_takes_fewer_seeds() -> None:
    leaders = [leader("l2", 1e-2, 0.1), leader("dropout", 0.5, 0.2)]

    suggestion = suggest_next(FIRST, leaders, budget_s=30)

    assert 3 <= len(suggestion.sweep["seeds"]) < 10
    assert suggestion.estimate_s <= 30


@pytest.mark.parametrize(
    ("sweep", "leaders"),
    [
        (FIRST, [leader("l2", 1e-2, 0.1)]),
        (FIRST, [leader("l2", 1e-2, 0.1), leader("dropout", 0.5, None)]),
        (FIRST | {"variants": []}, [leader("l2", 1e-2, 0.1), leader("dropout", 0.5, 0.2)]),
    ],
)
def test_where_there_are_no_two_to_combine_it_is_said(sweep: Any, leaders: Any) -> None:
    with pytest.raises(SpecError) as caught:
        suggest_next(sweep, leaders, budget_s=60)

    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/after", "nothing_to_combine")]
