from types import SimpleNamespace

import pytest

from regcore.data.tables.groups import SPLITS, assign_groups
from regcore.errors import SpecError


def fractions(test=0.2, validation=0.2, seed=0):
    return SimpleNamespace(test_fraction=test, validation_fraction=validation, split_seed=seed)


def rows_of(sizes, assigned):
    return [sum(sizes[group] for group, split in assigned.items() if split == name) for name in SPLITS]


@pytest.mark.parametrize("seed", range(5))
def test_shares_of_rows_are_near_the_fractions(seed):
    sizes = {f"patient {k}": 1 + k % 7 for k in range(200)}

    train, validation, test = rows_of(sizes, assign_groups(sizes, fractions(seed=seed)))

    assert test == pytest.approx(0.2 * sum(sizes.values()), abs=7)
    assert validation == pytest.approx(0.16 * sum(sizes.values()), abs=7)
    assert train + validation + test == sum(sizes.values())


def test_a_seed_decides_and_the_order_of_groups_does_not():
    sizes = {str(k): k + 1 for k in range(30)}
    backwards = dict(reversed(sizes.items()))

    assert assign_groups(sizes, fractions(seed=3)) == assign_groups(backwards, fractions(seed=3))
    assert assign_groups(sizes, fractions(seed=3)) != assign_groups(sizes, fractions(seed=4))


@pytest.mark.parametrize("sizes", [{"a": 1, "b": 1, "c": 1}, {"a": 1000, "b": 1, "c": 1}, {"a": 50, "b": 50, "c": 1}])
@pytest.mark.parametrize("seed", range(4))
def test_every_split_has_a_group_however_unequal_they_are(sizes, seed):
    assigned = assign_groups(sizes, fractions(seed=seed))

    assert sorted(assigned.values()) == sorted(SPLITS)


def test_a_fraction_of_0_takes_no_group():
    assert set(assign_groups({"a": 3, "b": 2}, fractions(validation=0)).values()) == {"train", "test"}


def test_fewer_groups_than_splits_are_refused():
    with pytest.raises(SpecError, match=r"2 different value\(s\), and each of 3 splits") as caught:
        assign_groups({"a": 3, "b": 2}, fractions())

    assert caught.value.errors[0].pointer == "/data/group_column"
