import numpy as np
import pytest
import torch
from effects import augmented
from scipy.stats import kstest

from regcore.data.rows import Batch
from regcore.errors import SpecError
from regcore.regularizers.audio_noise import AudioNoise
from regcore.shapes import RowInfo
from regcore.spec import parse_spec

STEPS, BANDS = 12, 6


class Standardized:
    """What was done to the rows of a sound, one mean and deviation for each band."""

    row = RowInfo((STEPS, BANDS), varies=True)
    is_fitted = True
    scaling = (np.tile(np.arange(BANDS) - 4.0, STEPS), np.tile(1.0 + np.arange(BANDS), STEPS))


def batch_of(num_rows=300, dtype=torch.float64):
    """Logarithms of power, and rows of which some are shorter; padding is 0."""
    lengths = torch.tensor([[5, 9, STEPS] * (num_rows // 3)])
    in_use = (torch.arange(STEPS) < lengths.unsqueeze(2)).unsqueeze(3)
    x = torch.randn(1, num_rows, STEPS, BANDS, generator=torch.Generator().manual_seed(0)).to(dtype) * 2 - 6
    return Batch(x * in_use, torch.zeros_like(lengths), lengths)


def snr_db(noisy, clean, lengths):
    """Of each row, by its powers."""
    ratios = []
    for after, before, length in zip(noisy.double(), clean.double(), lengths[0].tolist(), strict=True):
        power, sound = (np.exp(part[:length].numpy()).sum() for part in (after, before))
        ratios.append(10 * np.log10(sound / (power - sound)))
    return np.array(ratios)


@pytest.mark.parametrize("asked_db", [-5.0, 0.0, 20.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_ratio_of_powers_is_the_one_that_is_asked(asked_db, dtype):
    batch = batch_of(dtype=dtype)

    noisy = augmented([AudioNoise(min_snr_db=asked_db, max_snr_db=asked_db)], batch).x

    assert snr_db(noisy[0], batch.x[0], batch.lengths) == pytest.approx(asked_db, abs=0.1)
    assert torch.equal(noisy == 0, batch.x == 0)  # padding


def test_ratios_are_uniform_in_decibels_and_noise_has_the_law_of_a_hiss():
    batch = batch_of()

    noisy = augmented([AudioNoise(min_snr_db=0.0, max_snr_db=20.0)], batch).x[0]

    ratios = snr_db(noisy, batch.x[0], batch.lengths)
    assert kstest(ratios, "uniform", (0, 20)).pvalue > 1e-3
    noise = (noisy.exp() - batch.x[0].exp())[2::3].flatten(1)
    assert kstest((noise / noise.mean(1, keepdim=True)).flatten().numpy(), "expon").statistic < 0.03


def test_standardized_rows_get_the_same_noise():
    batch, member = batch_of(), AudioNoise(min_snr_db=5.0, max_snr_db=5.0)
    mean, std = (torch.from_numpy(part).view(STEPS, BANDS) for part in Standardized.scaling)
    in_use = batch.x != 0

    noisy = augmented([member], batch.having(x=(batch.x - mean) / std * in_use), preprocessing=Standardized()).x

    torch.testing.assert_close((noisy * std + mean) * in_use, augmented([member], batch).x)


def test_a_batch_may_be_cut_to_the_steps_that_its_rows_use():
    batch, member = batch_of(), AudioNoise(min_snr_db=5.0, max_snr_db=5.0)
    short = Batch(batch.x[:, 0::3, :5], batch.y[:, 0::3], batch.lengths[:, 0::3])

    noisy = augmented([member], short, preprocessing=Standardized()).x

    mean, std = (torch.from_numpy(part).view(STEPS, BANDS)[:5] for part in Standardized.scaling)
    ratios = snr_db((noisy * std + mean)[0], (short.x * std + mean)[0], short.lengths)
    assert ratios == pytest.approx(5, abs=0.1)


def test_only_some_rows_get_noise_and_each_member_draws_as_it_would_alone():
    batch = batch_of()
    members = [AudioNoise(p=p) for p in (0.0, 0.3, 1.0)]

    together = augmented(members, batch).x

    share = (together != batch.x).flatten(2).any(2).double().mean(1)
    assert share.tolist() == pytest.approx([0.0, 0.3, 1.0], abs=0.1)
    assert torch.equal(together[:1], batch.x)
    for k, member in enumerate(members):
        torch.testing.assert_close(together[k : k + 1], augmented([member], batch, seeds=(k + 1,)).x)


def test_the_least_ratio_is_no_larger_than_the_largest(make_job):
    with pytest.raises(SpecError, match="min_snr_db must be at most max_snr_db; received 50 and 30"):
        parse_spec(make_job(regularizers=[{"kind": "audio_noise", "min_snr_db": 50}]))
