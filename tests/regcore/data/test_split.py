from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regcore.data.catalogue import BUILTIN, TORCHVISION
from regcore.data.load import RawData, load
from regcore.data.split import group_split_sizes, split, split_sizes

RAW = {name: load(SimpleNamespace(kind="builtin", name=name)) for name in BUILTIN}
OF_GROUPS = sorted(name for name, info in BUILTIN.items() if info.groups is not None)
fractions = st.floats(0, 0.6)


def how(test=0.2, validation=0.2, seed=0, limit=None) -> SimpleNamespace:
    return SimpleNamespace(test_fraction=test, validation_fraction=validation, split_seed=seed, train_limit=limit)


@given(
    name=st.sampled_from(sorted({*BUILTIN} - {*OF_GROUPS})),
    test=fractions,
    validation=fractions,
    seed=st.integers(0, 2**32 - 1),
)
def test_splits_are_disjoint_cover_all_rows_and_have_the_planned_sizes(name, test, validation, seed):
    raw, spec = RAW[name], how(test, validation, seed)

    splits = split(raw, spec)

    assert splits.test is not None
    rows = np.concatenate([splits.train, splits.validation, splits.test])
    assert np.array_equal(np.sort(rows), np.arange(len(raw.y)))
    sizes = (len(splits.train), len(splits.validation), len(splits.test))
    assert sizes == split_sizes(len(raw.y), spec)


@given(name=st.sampled_from(["digits", "mnist-5k", "breast-cancer", "wine"]), seed=st.integers(0, 2**32 - 1))
def test_classes_keep_their_shares(name, seed):
    raw = RAW[name]

    splits = split(raw, how(seed=seed))

    shares = np.bincount(raw.y) / len(raw.y)
    for rows in (splits.train, splits.validation, splits.test):
        # Each count is the exact share rounded up or down; validation is a share of a rounded rest.
        assert np.abs(np.bincount(raw.y[rows]) - shares * len(rows)).max() < 2


@given(limit=st.integers(10, 3200), seed=st.integers(0, 1000))
def test_a_train_limit_is_a_stratified_part_of_the_train_split(limit, seed):
    raw = RAW["mnist-5k"]

    limited = split(raw, how(seed=seed, limit=limit))

    whole = split(raw, how(seed=seed))
    assert len(limited.train) == limit == split_sizes(5000, how(limit=limit)).train
    assert set(limited.train.tolist()) <= set(whole.train.tolist())
    if 3200 - limit >= 10:
        counts = np.bincount(raw.y[limited.train], minlength=10)
        assert counts.max() - counts.min() <= 1
    assert np.array_equal(limited.test, whole.test)


@given(
    name=st.sampled_from(OF_GROUPS),
    test=fractions,
    validation=fractions,
    seed=st.integers(0, 2**32 - 1),
    limit=st.none() | st.integers(1, 60),
)
def test_groups_of_a_set_are_never_in_two_splits_and_the_sizes_are_known_without_its_rows(
    name, test, validation, seed, limit
):
    raw, spec = RAW[name], how(test, validation, seed, limit)

    splits = split(raw, spec)

    parts = [splits.train, splits.validation, splits.test]
    voices = [set(raw.groups[rows]) for rows in parts]
    assert sum(map(len, voices)) == len(set.union(*voices))
    assert tuple(map(len, parts)) == group_split_sizes(BUILTIN[name].group_sizes, spec)
    if limit is None:
        assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(raw.y)))


def test_the_same_seed_gives_the_same_rows_and_another_seed_others():
    first, again, other = (split(RAW["wine"], how(seed=seed)).train for seed in (0, 0, 1))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_defaults_give_the_sizes_of_the_contract():
    assert split_sizes(5000, how()) == (3200, 800, 1000)


@pytest.mark.parametrize(
    ("test_fraction", "expected"), [(None, (48_000, 12_000, 10_000)), (0.1, (43_200, 10_800, 6_000))]
)
def test_an_official_test_split_is_used_unless_a_fraction_is_given(test_fraction, expected):
    info = TORCHVISION["FashionMNIST"]

    sizes = split_sizes(info.num_rows, how(test_fraction), num_test_rows=info.num_test_rows)

    assert sizes == expected


def test_the_official_test_split_is_left_to_the_set():
    info = TORCHVISION["MNIST"]
    y = np.repeat(np.arange(10), 10)
    raw = RawData(info, np.zeros((100, 1, 2, 2), np.float32), y, official_test=(np.zeros((5, 1, 2, 2)), y[:5]))

    splits = split(raw, how(test=None))

    assert splits.test is None
    assert (len(splits.train), len(splits.validation)) == (80, 20)
