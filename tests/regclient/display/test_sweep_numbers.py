import math
from typing import Any

import pytest

from regclient.display.sweep_numbers import (
    contrasts_of_ablation,
    contrasts_of_comparison,
    curves_of,
    is_logarithmic,
    marked_values,
    view_of,
)

NUMERIC = {"pointer": "/regularizers/0/strength", "range": {"kind": "log", "low": 1e-6, "high": 1, "num_points": 3}}
CHOICE = {"pointer": "/regularizers/1", "values": [None, {"kind": "dropout", "p": 0.5}]}


def test_there_is_a_curve_for_each_split_that_was_measured(path: dict[str, Any]) -> None:
    for point in path["points"]:
        del point["metrics"]["validation/loss"]

    curves = curves_of(path, "loss")

    assert [curve.name for curve in curves] == ["train/loss", "test/loss"]
    assert curves[0].values == [1e-4, 1e-3, 1e-2]
    assert (curves[0].lows[0], curves[0].means[0], curves[0].highs[0]) == pytest.approx((0.3, 0.4, 0.5))


def test_what_is_not_known_is_nan(path: dict[str, Any]) -> None:
    path["points"][1]["metrics"]["test/loss"] = {"value": None, "low": None, "high": None}

    curve = curves_of(path, "loss")[2]

    assert [math.isnan(mean) for mean in curve.means] == [False, True, False]


def test_a_number_without_splits_is_one_curve(path: dict[str, Any]) -> None:
    assert [curve.means for curve in curves_of(path, "sparsity")] == [[0.5, 0.5, 0.5]]


def test_nothing_measured_is_no_curve(path: dict[str, Any]) -> None:
    assert curves_of(path, "r2") == []


@pytest.mark.parametrize(
    ("best", "one_standard_error", "zero", "names"),
    [
        (0.1, 0.2, 0.4, {"best": 0.1, "one standard error": 0.2, "no weight left": 0.4}),
        (0.1, 0.1, None, {"best, one standard error": 0.1}),
        (0.1, None, 0.1, {"best, no weight left": 0.1}),
        (None, None, None, {}),
    ],
)
def test_marked_values_are_named(best: Any, one_standard_error: Any, zero: Any, names: dict[str, float]) -> None:
    path = {"best_value": best, "one_standard_error_value": one_standard_error, "smallest_zero_value": zero}

    assert marked_values(path) == names


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1e-6, 1e-3], True),
        ([0, 1e-6, 1e-3], True),
        ([math.nan, 1e-6, 1e-3], True),
        ([0.1, 0.5, 0.9], False),
        ([-1, 1e-6, 1], False),
        ([0, 1], False),
        ([], False),
    ],
)
def test_orders_of_magnitude_are_logarithmic(values: list[float], expected: bool) -> None:
    assert is_logarithmic(values) is expected


def test_a_comparison_says_which_side_is_better(comparison: dict[str, Any]) -> None:
    low, high = (contrasts_of_comparison({**comparison, "mode": mode}) for mode in ("min", "max"))

    assert low.axis == "difference in test/loss, better below 0"
    assert high.axis.endswith("above 0")
    assert (low.rows[0].label, low.rows[0].value, low.rows[0].p_value) == ("dropout − l2", -0.05, 0.002)


def test_an_ablation_is_by_regularizer(ablation: dict[str, Any]) -> None:
    [row] = contrasts_of_ablation(ablation).rows

    assert (row.label, row.value, row.verdict) == ("dropout", 0.05, "helps")


@pytest.mark.parametrize(
    ("spec", "view"),
    [
        ({"axes": [NUMERIC]}, "path"),
        ({"axes": [{"pointer": "/training/epochs", "values": [1, 2]}]}, "path"),
        ({"axes": [CHOICE]}, None),
        ({"axes": [{"pointer": "/training/compile", "values": [True, False]}]}, None),
        ({"axes": [NUMERIC, NUMERIC]}, None),
        ({"axes": [NUMERIC], "variants": [{"name": "a"}]}, "comparison"),
        ({"strategy": {"kind": "ablation"}}, "ablation"),
        ({"axes": None, "variants": None, "strategy": None}, None),
    ],
)
def test_what_there_is_to_see_follows_from_the_spec(spec: dict[str, Any], view: str | None) -> None:
    assert view_of(spec) == view
