import numpy as np
import pytest
from scipy import stats

from regcore.data.row_groups import RowGroups
from regcore.tasks import Classification, Regression
from regcore.tasks.scores.by_group import MAX_LISTED_GROUPS, by_group
from regcore.tasks.scores.classification import ClassEvaluation
from regcore.tasks.scores.regression import NumberEvaluation

NAMES = np.array(["one", "", "two", "three"])


def numbers(num_rows: int = 60) -> NumberEvaluation:
    rng = np.random.default_rng(0)
    targets, errors = rng.normal(size=num_rows), rng.normal(size=num_rows)
    return NumberEvaluation(errors**2, targets + errors, targets)


def groups_of(places: np.ndarray, split: str = "test") -> RowGroups:
    return RowGroups.of("site", NAMES[places], {split: np.arange(len(places))})


def test_means_of_a_groups_rows_come_with_students_interval() -> None:
    split, places = numbers(), np.arange(60) % 3

    found = by_group({"test": split}, Regression.metrics, groups_of(places))

    assert found["column"] == "site"
    for told in found["splits"]["test"]["groups"]:
        own = np.abs(split.predictions - split.targets)[NAMES[places] == told["group"]]
        cell = told["metrics"]["mae"]
        interval = stats.t.interval(0.95, len(own) - 1, own.mean(), stats.sem(own))
        assert [cell["value"], cell["low"], cell["high"]] == pytest.approx([own.mean(), *interval])
        assert told["num_rows"] == 20


def test_shares_come_with_wilsons_interval_and_metrics_of_whole_splits_are_left_out() -> None:
    is_right = np.array([True] * 7 + [False] * 3)
    split = ClassEvaluation(np.ones(10), is_right.astype(int), np.ones(10, int), np.full((10, 2), 0.5))

    found = by_group({"validation": split}, Classification.metrics, groups_of(np.zeros(10, int), "validation"))

    (told,) = found["splits"]["validation"]["groups"]
    assert told["metrics"].keys() == {"loss", "accuracy", "log_loss"}
    exact = stats.binomtest(7, 10).proportion_ci(method="wilson")
    assert told["metrics"]["accuracy"] == pytest.approx({"value": 0.7, "low": exact.low, "high": exact.high})


def test_the_largest_groups_come_first_and_a_gap_is_a_group_too() -> None:
    places = np.array([0, 1, 1, 2, 2, 2])

    found = by_group({"test": numbers(6)}, Regression.metrics, groups_of(places))

    assert [told["group"] for told in found["splits"]["test"]["groups"]] == ["two", "", "one"]


def test_a_group_of_few_rows_has_no_interval() -> None:
    (told,) = by_group({"test": numbers(4)}, Regression.metrics, groups_of(np.zeros(4, int)))["splits"]["test"][
        "groups"
    ]

    assert np.isfinite(told["metrics"]["mae"]["value"])
    assert np.isnan([told["metrics"]["mae"]["low"], told["metrics"]["mae"]["high"]]).all()


def test_the_train_split_and_groups_of_other_splits_are_not_told() -> None:
    groups = RowGroups.of("site", NAMES, {"train": np.array([0, 1]), "test": np.array([2, 3])})

    found = by_group({"train": numbers(2), "test": numbers(2)}, Regression.metrics, groups)

    assert list(found["splits"]) == ["test"]
    assert [told["group"] for told in found["splits"]["test"]["groups"]] == ["three", "two"]


def test_of_very_many_groups_the_others_are_counted() -> None:
    every = np.array([f"{k:04}" for k in range(MAX_LISTED_GROUPS + 3)])
    groups = RowGroups.of("site", every, {"test": np.arange(len(every))})

    told = by_group({"test": numbers(len(every))}, Regression.metrics, groups)["splits"]["test"]

    assert (told["num_groups"], told["num_left_out"], len(told["groups"])) == (len(every), 3, MAX_LISTED_GROUPS)


def test_a_loss_beyond_all_numbers_is_its_own_groups_alone() -> None:
    split = numbers(12)
    split.per_row_loss[0] = np.inf

    groups = groups_of(np.repeat([0, 2], 6))
    first, second = by_group({"test": split}, Regression.metrics, groups)["splits"]["test"]["groups"]

    assert first["metrics"]["loss"]["value"] == np.inf
    assert np.isfinite(list(second["metrics"]["loss"].values())).all()


def test_without_groups_there_is_no_table() -> None:
    assert by_group({"test": numbers()}, Regression.metrics, None) is None
