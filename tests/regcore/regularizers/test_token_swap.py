import pytest
import torch
from effects import augmented
from scipy.stats import chisquare

from regcore.data.rows import Batch
from regcore.regularizers import Surroundings
from regcore.regularizers.token_swap import TokenSwap
from regcore.shapes import RowInfo
from regcore.tasks import Classification


def batch_of(*lengths, num_steps=9, num_copies=500):
    """Rows whose tokens say where they were, from 1."""
    of_each = torch.tensor(lengths).repeat(num_copies).unsqueeze(0)
    steps = torch.arange(num_steps)
    x = (steps + 1) * (steps < of_each.unsqueeze(2))
    return Batch(x, torch.zeros_like(of_each), of_each)


@pytest.mark.parametrize("alpha", [0.1, 0.3, 0.5])
def test_as_many_pairs_change_places_as_is_asked(alpha):
    batch = batch_of(1, 2, 5, 8)

    x = augmented([TokenSwap(alpha=alpha)], batch).x[0]

    assert torch.equal(x.sort(1).values, batch.x[0].sort(1).values)
    assert torch.equal(x == 0, batch.x[0] == 0)
    again = torch.where(x > 0, x.gather(1, (x - 1).clamp(min=0)), 0)
    assert torch.equal(again, batch.x[0])  # a swap undoes itself: all are pairs
    moved = (x != batch.x[0]).sum(1).view(-1, 4).double()
    assert not moved[:, 0].any()
    for length, mean in zip((5, 8), moved.mean(0)[2:], strict=True):
        assert float(mean) == pytest.approx(2 * min(alpha * length, length // 2), abs=0.15)


def test_every_pair_is_as_likely():
    batch = batch_of(4, num_steps=4, num_copies=2000)

    x = augmented([TokenSwap(alpha=0.25)], batch).x[0]

    partners = [(x[:, place] == other + 1).sum() for place in range(4) for other in range(4) if place != other]
    assert chisquare([int(count) for count in partners]).pvalue > 1e-3


def test_alpha_0_moves_nothing_and_each_member_draws_as_it_would_alone():
    batch = batch_of(3, 9)
    members = [TokenSwap(alpha=alpha) for alpha in (0.0, 0.2, 0.5)]

    together = augmented(members, batch).x

    assert torch.equal(together[:1], batch.x)
    for k, member in enumerate(members):
        assert torch.equal(together[k : k + 1], augmented([member], batch, seeds=(k + 1,)).x)


def test_rows_that_are_all_in_use_need_no_lengths():
    batch = batch_of(9)

    without = augmented([TokenSwap(alpha=0.5)], batch.having(lengths=None)).x

    assert torch.equal(without, augmented([TokenSwap(alpha=0.5)], batch).x)


def test_rows_of_numbers_are_refused():
    problem = TokenSwap().needs(Surroundings(Classification, 1, row=RowInfo((30,))))

    assert "token_swap needs texts, which are rows of tokens, and these rows are numbers, (30,)" in problem
