from itertools import pairwise

import pytest
import torch

from regcore.data.prepared import Split
from regcore.loop.length_groups import NUM_GROUPS, LengthGroups, is_worth_it

LENGTHS = torch.tensor([1, 2, 3, 4, 5, 6, 7, 40] * 20)


def rows_of(lengths):
    num_rows = len(lengths)
    return Split(torch.ones(num_rows, 40, dtype=torch.int64), torch.zeros(num_rows), None, lengths, tokens=2)


def test_each_members_rows_are_parted_by_their_lengths():
    numbers = torch.stack([torch.randperm(160)[:64], torch.randperm(160)[:64]])

    groups = LengthGroups(rows_of(LENGTHS), 64).of(numbers)

    assert len(groups) == NUM_GROUPS
    for member in range(2):
        lengths = [LENGTHS[group[member]] for group in groups]
        assert all(one.max() <= other.min() for one, other in pairwise(lengths))
        together = torch.cat([group[member] for group in groups])
        assert sorted(together.tolist()) == sorted(numbers[member].tolist())


@pytest.mark.parametrize(
    ("lengths", "batch_size", "expected"),
    [(LENGTHS, 64, True), (LENGTHS, 16, False), (torch.full((160,), 40), 64, False)],
    ids=["a long one among short ones", "few rows", "all alike"],
)
def test_groups_are_made_where_they_save_padding(lengths, batch_size, expected):
    assert is_worth_it(lengths, batch_size) is expected


def test_rows_without_lengths_stay_together():
    rows = Split(torch.ones(160, 3), torch.zeros(160))
    numbers = torch.arange(64).unsqueeze(0)

    (only,) = LengthGroups(rows, 64).of(numbers)

    assert only is numbers
