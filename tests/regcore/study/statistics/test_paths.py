import json
import math

import pytest

from regcore.errors import SpecError
from regcore.study.statistics import PathPoint, Resplits, mean_interval, regularization_path
from regcore.study.statistics.paths import INCOMPLETE, NO_DIRECTION, NO_OBJECTIVE, ONE_SEED


def _point(value, losses, **more):
    members = [None if loss is None else {"metrics": {"validation/loss": loss}, **more} for loss in losses]
    return PathPoint(value, members)


def _path(points, metric="validation/loss", **more):
    return regularization_path(points, metric, **more)


POINTS = [
    _point(0.0, [1.0, 1.2, 1.1]),
    _point(0.1, [0.7, 0.9, 0.8]),  # the best: mean 0.8, s = 0.1, s / √3 = 0.0577
    _point(0.2, [0.8, 0.9, 0.86]),  # mean 0.853 ≤ 0.8577
    _point(0.3, [0.86, 0.9, 0.85]),  # mean 0.87
]


def test_the_best_value_and_the_strongest_within_one_standard_error():
    path = _path(POINTS)

    assert (path["best_value"], path["one_standard_error_value"], path["note"]) == (0.1, 0.2, None)
    assert path["objective"] == {"metric": "validation/loss", "mode": "min"}


def test_just_beyond_one_standard_error_is_not_within():
    bound = 0.8 + 0.1 / math.sqrt(3)
    inside, outside = (_point(0.2, [bound + shift] * 3) for shift in (-1e-9, 1e-9))

    assert _path([POINTS[1], inside])["one_standard_error_value"] == 0.2
    assert _path([POINTS[1], outside])["one_standard_error_value"] == 0.1


def test_a_worse_value_between_does_not_hide_a_stronger_one_within():
    path = _path([POINTS[1], _point(0.2, [2.0, 2.1, 2.2]), _point(0.3, [0.81, 0.8, 0.85])])

    assert path["one_standard_error_value"] == 0.3


def test_of_an_accuracy_the_highest_is_best():
    points = [PathPoint(v, [{"metrics": {"validation/accuracy": a}} for a in accs]) for v, accs in
              [(1, [0.8, 0.9]), (2, [0.7, 0.94]), (3, [0.5, 0.6])]]  # fmt: skip

    path = _path(points, "validation/accuracy")

    # The best is 0.85 ± 0.05, and 0.82 within it.
    assert (path["best_value"], path["one_standard_error_value"]) == (1, 2)


def test_of_equal_values_the_strongest_is_best():
    points = [_point(value, [0.5, 0.5]) for value in (0.1, 0.4, 0.2)]

    assert _path(points)["best_value"] == 0.4
    assert _path(points, stronger="smaller")["best_value"] == 0.1


def test_where_smaller_is_stronger_the_simplest_is_the_smallest():
    points = [_point(4.0, [0.7, 0.9]), _point(2.0, [0.85, 0.86]), _point(1.0, [2.0, 2.0]), _point(8.0, [0.81, 0.82])]

    path = _path(points, stronger="smaller")

    assert (path["best_value"], path["one_standard_error_value"]) == (4.0, 2.0)


def test_an_axis_without_a_stronger_end_has_no_simplest_value_and_says_so():
    path = _path([*POINTS, _point(0.05, [0.8, 0.8, 0.8])], stronger=None)

    assert (path["best_value"], path["one_standard_error_value"], path["note"]) == (0.05, None, NO_DIRECTION)


def test_splits_drawn_anew_widen_intervals_and_the_standard_error():
    resplits = Resplits(num_train=60, num_validation=30, num_test=10, draws_test=True)

    path = _path(POINTS, resplits=resplits)

    # 0.8 + 0.1 · √(1/3 + 1/2) = 0.891, so that 0.87 is within.
    assert (path["best_value"], path["one_standard_error_value"]) == (0.1, 0.3)
    assert path["points"][1]["metrics"]["validation/loss"] == mean_interval([0.7, 0.9, 0.8], 0.5)
    assert _path([PathPoint(1, [{"sparsity": 0.1}, {"sparsity": 0.3}])], resplits=resplits)["points"][0][
        "sparsity"
    ] == mean_interval([0.1, 0.3], 1.5)


def test_one_seed_has_no_standard_error():
    path = _path([_point(0.1, [0.5]), _point(0.2, [0.4])])

    assert (path["best_value"], path["one_standard_error_value"], path["note"]) == (0.2, None, ONE_SEED)


def test_a_value_at_which_a_member_failed_is_not_taken_while_there_is_another():
    points = [_point(0.1, [0.5, 0.6]), _point(0.2, [0.1, None]), _point(0.3, [0.1, math.nan])]

    assert _path(points)["best_value"] == 0.1


def test_where_every_value_has_failures_the_best_of_the_rest_is_taken_and_it_is_said():
    path = _path([_point(0.1, [0.5, 0.6, None]), _point(0.2, [0.7, 0.8, None])])

    assert (path["best_value"], path["one_standard_error_value"], path["note"]) == (0.1, 0.1, INCOMPLETE)


def test_both_notes_are_given():
    path = _path([_point(0.1, [0.5, None])])

    assert path["note"] == f"{INCOMPLETE} {ONE_SEED}"


@pytest.mark.parametrize("points", [[], [_point(0.1, [None, None])], [PathPoint(0.1, [{"metrics": {}}])]])
def test_without_the_objective_there_is_no_best(points):
    path = _path(points)

    assert (path["best_value"], path["one_standard_error_value"], path["note"]) == (None, None, NO_OBJECTIVE)


def test_the_gap_can_be_the_objective_too():
    points = [PathPoint(v, [{"generalization_gap": gap}] * 2) for v, gap in [(0.1, 0.4), (0.2, 0.3)]]

    assert _path(points, "generalization_gap")["best_value"] == 0.2


def test_each_point_has_the_mean_and_interval_of_everything_by_rising_value():
    member = {"metrics": {"test/loss": 1.0, "test/accuracy": 0.5}, "norms": {"head": {"l1": 2.0}}, "sparsity": 0.25}
    other = {"metrics": {"test/loss": 3.0, "test/accuracy": None}, "norms": {"head": {"l1": 4.0}}, "sparsity": 0.75}

    path = _path([PathPoint(0.2, [None]), PathPoint(0.1, [member, other, None])])

    assert [point["value"] for point in path["points"]] == [0.1, 0.2]
    assert path["points"][0] == {
        "value": 0.1,
        "num": 2,
        "num_missing": 1,
        "metrics": {"test/loss": mean_interval([1.0, 3.0, None]), "test/accuracy": mean_interval([0.5, None, None])},
        "norms": {"head": {"l1": mean_interval([2.0, 4.0, None])}},
        "generalization_gap": mean_interval([None, None, None]),
        "sparsity": mean_interval([0.25, 0.75, None]),
        "kkt_residual": None,
    }
    assert json.loads(json.dumps(path, allow_nan=False)) == path


def test_the_smallest_value_that_leaves_no_weight_in_any_member():
    def members(*sparsities):
        return [{"sparsity": sparsity} for sparsity in sparsities]

    points = [PathPoint(0.1, members(0.5, 1)), PathPoint(0.3, members(1, 1)), PathPoint(0.2, members(1.0, 1.0))]

    assert _path(points)["smallest_zero_value"] == 0.2
    assert _path(points[:1])["smallest_zero_value"] is None


def test_a_value_with_a_failed_member_or_none_leaves_no_weight_in_nobody_knows_whom():
    points = [PathPoint(0.1, [{"sparsity": 1.0}, None]), PathPoint(0.2, []), PathPoint(0.3, [{"sparsity": 1.0}])]

    assert _path(points)["smallest_zero_value"] == 0.3


def test_of_residuals_and_the_strength_that_zeroes_all_the_largest_is_kept():
    points = [
        PathPoint(0.1, [{"kkt_residual": 1e-9, "l1_max": 0.3}, {"kkt_residual": 3e-8, "l1_max": 0.31}, None]),
        PathPoint(0.2, [{"kkt_residual": None}, {"kkt_residual": 2e-8}]),
    ]

    path = _path(points)

    assert [point["kkt_residual"] for point in path["points"]] == [3e-8, 2e-8]
    assert (path["max_kkt_residual"], path["l1_max"]) == (3e-8, 0.31)


def test_a_problem_that_is_not_convex_has_no_residual():
    path = _path(POINTS)

    assert (path["max_kkt_residual"], path["l1_max"]) == (None, None)


def test_an_objective_without_direction_is_refused():
    with pytest.raises(SpecError, match="sparsity"):
        _path(POINTS, "sparsity")
