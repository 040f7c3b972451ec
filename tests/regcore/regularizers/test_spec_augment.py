import numpy as np
import pytest
import torch
from effects import augmented
from scipy.stats import chisquare

from regcore import make_plan
from regcore.data.rows import Batch
from regcore.errors import SpecError
from regcore.regularizers import Surroundings
from regcore.regularizers.spec_augment import SpecAugment
from regcore.shapes import RowInfo
from regcore.tasks import Classification

STEPS, BANDS = 20, 8
DRAWS = torch.Generator().manual_seed(0)


def batch_of(*lengths, num_copies=1500):
    of_each = torch.tensor(lengths).repeat(num_copies).unsqueeze(0)
    in_use = torch.arange(STEPS) < of_each.unsqueeze(2)
    x = torch.randn(1, len(of_each[0]), STEPS, BANDS, generator=DRAWS, dtype=torch.float64) * in_use.unsqueeze(3)
    return Batch(x, torch.zeros_like(of_each), of_each)


def hidden(batch, **fields):
    """Which numbers change, (B, steps, bands); each holds the mean of its row's numbers in use."""
    x = augmented([SpecAugment(**fields)], batch).x[0]
    is_hidden = x != batch.x[0]
    means = [row[:length].mean() for row, length in zip(batch.x[0].numpy(), batch.lengths[0].tolist(), strict=True)]
    assert torch.allclose(x[is_hidden], torch.tensor(np.array(means)).view(-1, 1, 1).expand_as(x)[is_hidden])
    return is_hidden.numpy()


def widths_of(masks):
    """How wide each mask (n, places) is; each is one stretch."""
    edges = np.diff(np.pad(masks.astype(int), ((0, 0), (1, 1))), axis=1)
    assert (np.abs(edges).sum(1) <= 2).all()
    return masks.sum(1)


def test_a_mask_of_frequency_is_up_to_f_bands_wide_and_anywhere():
    is_hidden = hidden(batch_of(20), freq_mask_param=3, time_mask_param=0)

    assert (is_hidden == is_hidden[:, :1]).all()
    masks = is_hidden[:, 0]
    widths = widths_of(masks)
    assert chisquare(np.bincount(widths, minlength=4)).pvalue > 1e-3
    of_two = masks[widths == 2].argmax(1)
    assert chisquare(np.bincount(of_two, minlength=BANDS - 1)).pvalue > 1e-3


@pytest.mark.parametrize(("most", "p", "widest"), [(4, 1.0, {5: 4, 20: 4}), (100, 0.25, {5: 1, 20: 5})])
def test_a_mask_of_time_lies_within_the_rows_length_and_is_bounded_by_a_share_of_it(most, p, widest):
    batch = batch_of(5, 20)

    is_hidden = hidden(batch, freq_mask_param=0, time_mask_param=most, p=p)

    for position, (length, limit) in enumerate(widest.items()):
        masks = is_hidden[position::2]
        assert (masks == masks[:, :, :1]).all()
        assert not masks[:, length:].any()
        assert chisquare(np.bincount(widths_of(masks[:, :, 0]), minlength=limit + 1)).pvalue > 1e-3


def test_several_masks_hide_what_any_of_them_does():
    batch = batch_of(20, num_copies=300)

    one, three = (
        hidden(batch, freq_mask_param=2, time_mask_param=0, num_freq_masks=number).mean() for number in (1, 3)
    )

    assert one == pytest.approx(1 / BANDS, abs=0.02)
    assert 2 * one < three < 3 * one


def test_nothing_is_hidden_at_0_and_each_member_draws_as_it_would_alone():
    batch = batch_of(5, 20, num_copies=20)
    numbers = ((0, 0, 0.5), (3, 2, 1.0), (8, 20, 0.4))
    members = [SpecAugment(freq_mask_param=f, time_mask_param=t, p=p) for f, t, p in numbers]

    together = augmented(members, batch).x

    assert torch.equal(together[:1], batch.x)
    for k, member in enumerate(members):
        assert torch.equal(together[k : k + 1], augmented([member], batch, seeds=(k + 1,)).x)


def test_rows_that_are_all_in_use_need_no_lengths():
    batch = batch_of(20, num_copies=20)

    assert torch.equal(augmented([SpecAugment()], batch.having(lengths=None)).x, augmented([SpecAugment()], batch).x)


def test_widths_are_shares_of_the_row_if_nothing_is_said_and_wider_ones_are_refused(make_job):
    row = RowInfo((100, 80), varies=True)

    fitted = SpecAugment().fitted(row)
    problem = SpecAugment(freq_mask_param=81).needs(Surroundings(Classification, 1, row=row))

    assert (fitted.freq_mask_param, fitted.time_mask_param) == (26, 20)
    assert "at most the 80 bands of a row; received 81" in problem
    with pytest.raises(SpecError, match="spec_augment needs sound or another sequence"):
        make_plan(make_job(regularizers=[{"kind": "spec_augment"}]))
