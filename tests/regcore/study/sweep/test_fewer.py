from collections.abc import Callable
from typing import Any

import pytest

from regcore.study.sweep import fewer_than_asked, plan_sweep

Make = Callable[..., dict[str, Any]]
WIDTHS = "/model/hidden/0"


def said(body: dict[str, Any]) -> list[tuple[str, str, str]]:
    plan = plan_sweep(body)
    fewer = fewer_than_asked(plan.spec, [(one.variant, one.values) for one in plan.candidates])
    assert [one for one in plan.warnings if one.code.startswith("fewer")] == fewer
    return [(one.code, one.pointer, one.message) for one in fewer]


def integers(low: float, high: float, num: int | None = None) -> dict[str, Any]:
    return {"pointer": WIDTHS, "range": {"kind": "linear", "low": low, "high": high, "num_points": num}}


@pytest.mark.parametrize(
    "axis", [integers(2, 4), {"pointer": WIDTHS, "values": [2, 3, 4]}, {"pointer": WIDTHS, "values": [2, 2.0, 3, 4]}]
)
def test_trials_that_fall_together_are_told(axis: dict[str, Any], sweep: Make) -> None:
    ((code, pointer, message),) = said(sweep(axes=[axis], strategy={"kind": "random", "num_trials": 50}))

    assert (code, pointer) == ("fewer_trials", "/strategy/num_trials")
    assert message.startswith("Of 50 random trials 3 differ")


def test_trials_count_for_each_variant(sweep: Make) -> None:
    body = sweep(axes=[integers(2, 4)], variants=[{"name": "a"}, {"name": "b"}])
    body["strategy"] = {"kind": "random", "num_trials": 50}

    ((_, _, message),) = said(body)

    assert message.startswith("Of 100 random trials 6 differ")


@pytest.mark.parametrize(("num_points", "is_told"), [(3, False), (4, True)])
def test_points_that_are_one_whole_number_are_told(num_points: int, is_told: bool, sweep: Make) -> None:
    found = said(sweep(axes=[integers(2, 4, num_points)]))

    assert (
        found == [("fewer_points", "/axes/0/range/num_points", "Of 4 points 3 differ; each is tried once.")] * is_told
    )


def test_points_of_a_range_too_narrow_for_them_are_not_called_whole_numbers(sweep: Make) -> None:
    of = {"kind": "linear", "low": 1.0, "high": 1.0 + 3e-13, "num_points": 6}

    ((code, _, message),) = said(sweep(axes=[{"pointer": "/regularizers/0/strength", "range": of}]))

    assert code == "fewer_points"
    assert message == "Of 6 points 2 differ; each is tried once."


def test_points_of_a_variants_own_axis_are_told_there(sweep: Make) -> None:
    variants = [{"name": "wide", "axes": [integers(2, 3, 9)]}, {"name": "as it is"}]

    found = said(sweep(axes=[integers(2, 4, 3)], variants=variants))

    assert [pointer for _, pointer, _ in found] == ["/variants/0/axes/0/range/num_points"]


def test_as_many_as_asked_are_no_matter(sweep: Make) -> None:
    axis = {"pointer": "/regularizers/0/strength", "range": {"kind": "log", "low": 1e-300, "high": 1e10}}

    assert said(sweep(axes=[axis], strategy={"kind": "random", "num_trials": 50})) == []
    assert said(sweep()) == []
