from dataclasses import dataclass
from typing import Any, cast

import pytest

from api.jobs.splits import resplit_ratio, resplits_of, rows_id
from jobs.model import Job
from regcore import make_plan, parse_spec
from regcore.study.statistics import Resplits

OFFICIAL = {"kind": "torchvision", "name": "FashionMNIST"}


@dataclass
class _Planned:
    resolved_spec: dict[str, Any]
    plan: dict[str, Any]


def job(**data: Any) -> Job:
    """What is read of a job on `wine` (178 rows: 36 test, 29 validation, 113 train), or on other data."""
    spec = {
        "data": {"kind": "builtin", "name": "wine"} | data,
        "model": {"kind": "linear"},
        "training": {"batch_size": 1},
    }
    plan = make_plan(parse_spec(spec))
    return cast(Job, _Planned(plan.resolved_spec.model_dump(mode="json"), plan.public()))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"standardize": False}, {"test/loss", "validation/loss", "train/loss", "generalization_gap"}),
        ({"train_limit": 50}, {"test/loss", "validation/loss"}),
        ({"validation_fraction": 0.3}, {"test/loss"}),
        ({"test_fraction": 0.3}, set()),
        ({"split_seed": 1}, set()),
        ({"name": "digits"}, set()),
    ],
)
def test_rows_are_the_same_where_nothing_that_chooses_them_differs(change: dict[str, Any], same: set[str]) -> None:
    metrics = ("test/loss", "validation/loss", "train/loss", "generalization_gap")

    assert {name for name in metrics if rows_id(job(), name) == rows_id(job(**change), name)} == same


@pytest.mark.parametrize("metric", ["test/loss", "validation/loss", "train/loss", "generalization_gap"])
def test_rows_are_the_same_however_their_targets_are_scaled(metric: str) -> None:
    diabetes = {"kind": "builtin", "name": "diabetes"}

    assert rows_id(job(**diabetes), metric) == rows_id(job(**diabetes, standardize_target=False), metric)


OWN = {"kind": "dataset", "id": "ds_" + "0" * 26, "target": "y", "features": {"kind": "table", "missing": "mean"}}


def own(**data: Any) -> Job:
    """What is read of a job on a user's own table."""
    plan = {"num_rows": {"train": 60, "validation": 20, "test": 20}}
    fractions = {"test_fraction": 0.2, "validation_fraction": 0.2, "split_seed": 0, "split_column": None}
    return cast(Job, _Planned({"data": OWN | fractions | data}, plan))


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({"exclude": ["a"]}, True),
        ({"features": {"kind": "table", "missing": "median"}}, True),
        ({"id": "ds_" + "1" * 26}, False),
        ({"target": "z"}, False),
        ({"group_column": "patient"}, False),
        ({"split_column": "part"}, False),
        ({"split_seed": 1}, False),
    ],
    ids=str,
)
def test_rows_of_an_own_table_are_the_same_whatever_is_made_of_them(change: dict[str, Any], is_same: bool) -> None:
    for metric in ("test/loss", "validation/loss"):
        assert (rows_id(own(), metric) == rows_id(own(**change), metric)) is is_same


def test_splits_that_a_column_holds_are_drawn_by_no_seed() -> None:
    held = [own(split_column="part", split_seed=seed, test_fraction=seed / 10) for seed in range(2)]

    for metric in ("test/loss", "validation/loss", "train/loss"):
        assert rows_id(held[0], metric) == rows_id(held[1], metric)
    assert resplits_of(held[0]) is None
    assert resplit_ratio([held], "test/loss") is None
    assert resplit_ratio([[own(split_seed=0), own(split_seed=1)]], "test/loss") is not None


def test_official_test_rows_are_the_same_for_every_split_seed() -> None:
    first, second = job(**OFFICIAL), job(**OFFICIAL, split_seed=1)

    assert rows_id(first, "test/loss") == rows_id(second, "test/loss")
    assert rows_id(first, "validation/loss") != rows_id(second, "validation/loss")
    assert rows_id(first, "generalization_gap") != rows_id(second, "generalization_gap")
    drawn = [job(**OFFICIAL, test_fraction=0.1, split_seed=seed) for seed in range(2)]
    assert rows_id(drawn[0], "test/loss") != rows_id(drawn[1], "test/loss")


def test_resplits_are_those_of_the_plan() -> None:
    assert resplits_of(job()) == Resplits(113, 29, 36, draws_test=True)
    assert resplits_of(job(**OFFICIAL)) == Resplits(48_000, 12_000, 10_000, draws_test=False)


def test_the_ratio_is_that_of_the_metrics_own_split_and_the_largest_of_all_jobs() -> None:
    groups = [[job(split_seed=seed) for seed in range(3)], [job(split_seed=seed, train_limit=60) for seed in range(3)]]

    assert resplit_ratio(groups, "test/loss") == 36 / 60
    assert resplit_ratio(groups[:1], "validation/loss") == 29 / 113
    without_test = [[job(split_seed=seed, test_fraction=0) for seed in range(2)]]
    assert resplit_ratio(without_test, "validation/loss") == 36 / 142


def test_a_single_member_may_stand_beside_those_that_draw_splits() -> None:
    assert resplit_ratio([[job()], [job(split_seed=seed) for seed in range(3)]], "test/loss") == 36 / 113


@pytest.mark.parametrize("split_seeds", [[[0], [1]], [[0, 0], [0, 1]], [[0, 0], [0, 0]]])
def test_there_is_none_unless_every_member_of_a_group_has_its_own_split(split_seeds: list[list[int]]) -> None:
    groups = [[job(split_seed=seed) for seed in seeds] for seeds in split_seeds]

    assert resplit_ratio(groups, "test/loss") is None


def test_there_is_none_for_official_test_rows() -> None:
    assert resplit_ratio([[job(**OFFICIAL, split_seed=seed) for seed in range(3)]], "test/loss") is None
