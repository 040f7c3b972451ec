import math

import numpy as np
import pytest
from job_groups import group_from_rows, group_of

from regcore.study.statistics.groups import has_rows, match, rows_of, shared_rows_id


def _seeds(matched):
    return [member.seed for member in matched.baseline], [member.seed for member in matched.group]


def test_equal_seeds_are_paired_whatever_their_order():
    matched = match(group_of("a", [1.0, 2.0, 3.0], seeds=[0, 1, 2]), group_of("b", [4.0, 5.0, 6.0], seeds=[2, 0, 1]))

    assert matched.paired
    assert _seeds(matched) == ([0, 1, 2], [0, 1, 2])
    assert [member.value for member in matched.group] == [5.0, 6.0, 4.0]


def test_other_seeds_are_not_paired():
    matched = match(group_of("a", [1.0, 2.0], seeds=[0, 1]), group_of("b", [1.0, 2.0], seeds=[5, 6]))

    assert not matched.paired
    assert _seeds(matched) == ([0, 1], [5, 6])
    assert matched.notes == ()


@pytest.mark.parametrize("missing", [None, math.nan, math.inf])
def test_the_partner_of_a_missing_member_is_left_out_and_both_are_said(missing):
    matched = match(group_of("a", [1.0, 2.0, 3.0]), group_of("b", [1.0, missing, 3.0]))

    assert _seeds(matched) == ([0, 2], [0, 2])
    assert matched.notes == (
        "b: 1 of 3 have no value and are left out.",
        "Without a partner of the same seed, and left out: 1.",
    )


def test_where_few_seeds_are_shared_all_members_are_kept_unpaired():
    matched = match(group_of("a", [1.0] * 4, seeds=[0, 1, 2, 3]), group_of("b", [1.0] * 4, seeds=[2, 3, 4, 5]))

    assert not matched.paired
    assert (len(matched.baseline), len(matched.group)) == (4, 4)


def test_repeated_seeds_are_not_paired_and_it_is_said():
    matched = match(group_of("a", [1.0, 2.0, 3.0], seeds=[0, 0, 1]), group_of("b", [1.0, 2.0, 3.0]))

    assert not matched.paired
    assert len(matched.baseline) == 3
    assert matched.notes == ("Seeds repeat within a group; its members are taken to be independent.",)


def test_rows_are_shared_when_every_member_has_the_same():
    rows = np.ones((2, 4))
    one, same, other = (group_from_rows("a", rows, rows_id=rows_id).members for rows_id in ("x", "x", "y"))
    without = group_of("b", [1.0]).members

    assert shared_rows_id([*one, *same]) == "x"
    assert shared_rows_id([*one, *other]) is None
    assert shared_rows_id([*one, *without]) is None
    assert has_rows([*one, *other])
    assert not has_rows([*one, *without])


def test_rows_of_one_id_and_two_lengths_are_refused():
    rows = [np.ones(3), np.ones(4)]

    with pytest.raises(ValueError, match="same shape"):
        rows_of(group_of("a", [1.0, 1.0], rows=rows).members)
