import numpy as np
import pytest
import torch
from effects import augmented
from scipy.stats import chisquare

from regcore.data.rows import Batch
from regcore.regularizers import Surroundings
from regcore.regularizers.time_shift import TimeShift
from regcore.shapes import RowInfo
from regcore.tasks import Classification, Reconstruction

STEPS = 10


def batch_of(*lengths, num_copies=1000):
    """Rows whose numbers say where they were; padding is −1."""
    of_each = torch.tensor(lengths).repeat(num_copies).unsqueeze(0)
    steps = torch.arange(STEPS, dtype=torch.float64)
    x = torch.where(steps < of_each.unsqueeze(2), steps, -1.0).unsqueeze(3) + torch.tensor([0.0, 100.0])
    return Batch(x, torch.zeros_like(of_each), of_each)


def shifts_of(x, length):
    """By how much each row (B, steps, 2) was rolled within its length, by NumPy."""
    rolled = {tuple(np.roll(np.arange(length), shift)): shift for shift in range(length)}
    assert (x[:, length:, 0] == -1).all()
    assert torch.equal(x[..., 1], x[..., 0] + 100)
    return np.array([rolled[tuple(row)] for row in x[:, :length, 0].int().tolist()])


def test_a_sound_is_rolled_within_its_length():
    batch = batch_of(1, 4, 10)

    x = augmented([TimeShift(max_shift=0.25)], batch).x[0]

    assert set(shifts_of(x[0::3], 1)) == {0}
    assert set(shifts_of(x[1::3], 4)) == {3, 0, 1}  # up to one step, in either direction
    # Of ten steps up to 2.5: uniform, so that each of the five whole numbers up to 2 has a fifth.
    assert chisquare(np.bincount(shifts_of(x[2::3], 10), minlength=10)[[8, 9, 0, 1, 2]]).pvalue > 1e-3


def test_a_shift_of_0_moves_nothing_and_each_member_draws_as_it_would_alone():
    batch = batch_of(3, 10, num_copies=30)
    members = [TimeShift(max_shift=share) for share in (0.0, 0.2, 0.5)]

    together = augmented(members, batch).x

    assert torch.equal(together[:1], batch.x)
    for k, member in enumerate(members):
        assert torch.equal(together[k : k + 1], augmented([member], batch, seeds=(k + 1,)).x)


def test_an_autoencoder_learns_the_shifted_row_and_rows_in_use_need_no_lengths():
    batch = batch_of(10, num_copies=30).having(lengths=None)

    shifted = augmented([TimeShift(max_shift=0.5)], batch.having(y=batch.x), task=Reconstruction("mse"))

    assert torch.equal(shifted.x, shifted.y)
    assert torch.equal(shifted.x, augmented([TimeShift(max_shift=0.5)], batch_of(10, num_copies=30)).x)


@pytest.mark.parametrize("row", [RowInfo((3, 8, 8)), RowInfo((30,)), RowInfo((7,), tokens=9, varies=True)])
def test_other_rows_than_sequences_of_numbers_are_refused(row):
    assert "needs sound or another sequence" in TimeShift().needs(Surroundings(Classification, 1, row=row))
