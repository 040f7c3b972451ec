import math
from typing import Any

import pytest

from regcore.fit_numbers import Fit, fit_of

ROWS = {"train": 400, "validation": 100, "test": 0}


def a_report(train: list[float | None], held: list[float | None], **changes: Any) -> dict[str, Any]:
    cells = {"train": train[-1], "validation": held[-1]}
    return {
        "metrics": {
            name: {"loss": {"value": value, "low": value - 0.3, "high": value + 0.4}} for name, value in cells.items()
        },
        "baseline": {"metrics": {name: {"loss": 2.0} for name in cells}},
        "curves": {
            "epoch": [*range(1, len(train) + 1)],
            "values": {"train/loss": train, "validation/loss": held},
        },
        **changes,
    }


def numbers(train: list[float | None], held: list[float | None], selected_epoch: int | None = None) -> Fit:
    fit = fit_of(a_report(train, held), ROWS, selected_epoch or len(train))
    assert fit is not None
    return fit


def test_the_gap_has_the_errors_of_both_splits() -> None:
    assert numbers([2.0, 1.0], [2.0, 1.5]).gap == pytest.approx((0.5, 0.5 - math.hypot(0.3, 0.4), 1.0))


def test_the_rise_is_since_the_best_evaluation_while_the_train_loss_fell() -> None:
    assert numbers([2.0, 1.0, 0.5], [2.0, 1.0, 1.4]).rise == pytest.approx(0.4)
    assert numbers([2.0, 0.4, 0.5], [2.0, 1.0, 1.4]).rise == 0


def test_the_fall_is_that_of_both_splits_in_the_last_fifth() -> None:
    course = [2 - k / 10 for k in range(10)]

    assert numbers(course, [2 * loss for loss in course]).fall == pytest.approx(0.2)
    assert numbers(course, [2.0] * 10).fall == 0
    assert numbers(course, course, selected_epoch=5).fall == 0


def test_evaluations_without_a_value_are_left_out() -> None:
    assert numbers([2.0, None, 1.0], [2.0, 1.2, 1.1]).curve == [2.0, 1.1]


def test_what_was_learned_is_a_share() -> None:
    assert numbers([2.0, 0.5], [2.0, 0.6]).learned == 0.75


def test_without_a_loss_there_are_no_numbers() -> None:
    report = a_report([1.0], [1.0])
    report["metrics"]["validation"]["loss"] = {"value": None, "low": None, "high": None}

    assert fit_of(report, ROWS, 1) is None
