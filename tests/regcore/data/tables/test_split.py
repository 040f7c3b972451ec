from types import SimpleNamespace

import numpy as np
import pytest

from regcore.data.split import split
from regcore.data.tables.split import DRAWN, sizes_of, split_rows
from regcore.errors import SpecError


def data(**changes):
    fields = {"test_fraction": 0.2, "validation_fraction": 0.2, "split_seed": 0, "train_limit": None}
    return SimpleNamespace(**fields | changes)


def parts(splits):
    return splits.train.tolist(), splits.validation.tolist(), splits.test.tolist()


Y = np.arange(100) % 3


def test_fractions_split_as_they_split_a_built_in_set():
    raw = SimpleNamespace(y=Y, official_test=None, groups=None)

    assert parts(split_rows(Y, data(), roles=None, groups=None)) == parts(split(raw, data()))


@pytest.mark.parametrize("test_fraction", [0.2, 0.6])
@pytest.mark.parametrize("seed", range(3))
def test_a_class_of_as_many_rows_as_splits_is_in_each(seed, test_fraction):
    y = np.array([0] * 3 + [1] * 60 + [2] * 37)

    splits = split_rows(y, data(split_seed=seed, test_fraction=test_fraction), roles=None, groups=None)

    assert [np.count_nonzero(y[rows] == 0) for rows in (splits.train, splits.validation, splits.test)] == [1, 1, 1]
    assert sorted([*splits.train, *splits.validation, *splits.test]) == list(range(100))
    assert sizes_of(splits) == sizes_of(
        split(SimpleNamespace(y=y, official_test=None, groups=None), data(test_fraction=test_fraction))
    )


def test_fixed_splits_are_kept_and_the_others_are_drawn():
    roles = np.array([DRAWN] * 80 + ["test"] * 20, dtype=object)

    splits = split_rows(Y, data(), roles=roles, groups=None)

    assert splits.test.tolist() == list(range(80, 100))
    assert sizes_of(splits) == (64, 16, 20)
    assert sorted([*splits.train, *splits.validation]) == list(range(80))


def test_a_column_decides_alone():
    roles = np.array(["train", "validation", "test", "train"], dtype=object)

    assert parts(split_rows(Y[:4], data(), roles=roles, groups=None)) == ([0, 3], [1], [2])


@pytest.mark.parametrize("seed", range(3))
def test_no_group_straddles_in_any_resplit(seed):
    groups = np.array([f"g{k % 13}" for k in range(100)], dtype=object)

    splits = split_rows(Y, data(split_seed=seed), roles=None, groups=groups)

    of = [set(groups[part]) for part in (splits.train, splits.validation, splits.test)]
    assert all(of)
    assert sum(map(len, of)) == 13
    assert sorted(np.concatenate([splits.train, splits.validation, splits.test])) == list(range(100))


def test_a_limit_holds_for_every_kind_of_split():
    groups = np.array([f"g{k % 13}" for k in range(100)], dtype=object)
    roles = np.array(["train"] * 50 + ["test"] * 50, dtype=object)

    for given in ({"roles": None, "groups": None}, {"roles": None, "groups": groups}, {"roles": roles, "groups": None}):
        assert len(split_rows(Y, data(train_limit=7), **given).train) == 7


def test_a_group_that_was_handed_in_for_two_splits_is_refused():
    groups = np.array([f"g{k % 13}" for k in range(100)], dtype=object)
    roles = np.array([DRAWN] * 80 + ["test"] * 20, dtype=object)

    with pytest.raises(SpecError, match=r"13 group\(s\) .* in x and in test, such as 'g0'"):
        split_rows(Y, data(), roles=roles, groups=groups)
