import math

import numpy as np
import pytest
from scipy.signal import resample_poly
from sound_files import sound_file, tone

from regcore.data.features import AudioFeatures
from regcore.data.sounds.log_mel import FLOOR, LogMel, mel_bands, resampled
from regcore.data.sounds.steps import num_steps_of

FEATURES = AudioFeatures(sample_rate=8_000, num_mels=20)
RNG = np.random.default_rng(0)
NOISE = RNG.standard_normal(1_003)


def mel(hertz: float) -> float:
    """HTK's, in its decadic form."""
    return 2595 * math.log10(1 + hertz / 700)


def by_definition(samples, features, num_places):
    """Every window, every frequency and every band one by one."""
    window, hop = round(features.window_s * features.sample_rate), round(features.hop_s * features.sample_rate)
    hann = np.array([0.5 - 0.5 * math.cos(2 * math.pi * n / window) for n in range(window)])
    hann /= math.sqrt(sum(hann**2))
    hertz = np.arange(num_places // 2 + 1) * features.sample_rate / num_places
    mels = np.array([mel(h) for h in hertz])
    spacing = mel(features.sample_rate / 2) / (features.num_mels + 1)
    inverse = [700 * (10 ** (k * spacing / 2595) - 1) for k in range(features.num_mels + 2)]
    assert np.all(np.diff(mels) > 0)
    rows = []
    for start in range(0, len(samples) - window + 1, hop):
        part = samples[start : start + window] * hann
        power = [abs(np.sum(part * np.exp(-2j * np.pi * f * np.arange(window) / num_places))) ** 2
                 for f in range(num_places // 2 + 1)]  # fmt: skip
        bands = [np.interp(hertz, inverse[b : b + 3], [0, 1, 0], left=0, right=0) for b in range(features.num_mels)]
        rows.append([math.log(max(float(np.dot(band, power)), 1e-10)) for band in bands])
    return np.array(rows)


def test_it_is_what_its_definition_says():
    logs = LogMel(FEATURES)(NOISE)

    assert logs.shape == (num_steps_of(len(NOISE), FEATURES), 20)
    assert np.allclose(logs, by_definition(NOISE, FEATURES, 256), rtol=0, atol=1e-9)


def test_white_noise_has_its_variance_at_each_frequency():
    bands = mel_bands(FEATURES, 256).sum(axis=0)

    logs = LogMel(FEATURES)(0.1 * np.random.default_rng(1).standard_normal(80_000))

    assert np.allclose(np.exp(logs).mean(axis=0) / bands, 0.01, rtol=0.1)


@pytest.mark.parametrize("hertz", [200, 1_000, 3_000])
def test_a_tone_is_loudest_in_the_band_of_its_pitch(hertz):
    middles = np.arange(1, 21) * mel(4_000) / 21

    loudest = LogMel(FEATURES)(tone(hertz, 0.2)).mean(axis=0).argmax()

    assert abs(middles[loudest] - mel(hertz)) <= mel(4_000) / 21


def test_silence_has_the_floor_and_a_short_sound_one_step():
    logs = LogMel(FEATURES)(np.zeros(3))

    assert np.array_equal(logs, np.full((1, 20), math.log(FLOOR)))


@pytest.mark.parametrize(("rate", "num_mels"), [(8_000, 512), (1_000, 64), (16_000, 64), (192_000, 128)])
def test_every_band_has_a_frequency_of_its_own(rate, num_mels):
    features = AudioFeatures(sample_rate=rate, num_mels=num_mels)

    logs = LogMel(features)(RNG.standard_normal(rate // 10))

    assert np.isfinite(logs).all()
    assert (logs.max(axis=0) > math.log(FLOOR) + 5).all()


def test_a_window_of_one_sample_is_a_step_of_one_sample():
    features = AudioFeatures(sample_rate=1_000, num_mels=2, window_s=0.001, hop_s=0.001)

    assert LogMel(features)(np.arange(5.0)).shape == (5, 2)


@pytest.mark.parametrize(("rate", "wanted"), [(44_100, 16_000), (8_000, 16_000), (22_050, 8_000)])
def test_resampling_is_scipys_and_keeps_a_tone(rate, wanted):
    samples = tone(440, 0.2, rate)

    changed = resampled(samples, rate, wanted)

    divisor = math.gcd(rate, wanted)
    assert np.allclose(changed, resample_poly(samples, wanted // divisor, rate // divisor), rtol=0, atol=1e-12)
    inside = slice(wanted // 50, -wanted // 50)
    assert np.allclose(changed[inside], tone(440, 0.2, wanted)[inside], atol=2e-3)


def test_a_stored_sound_is_cut_and_resampled():
    features = AudioFeatures(sample_rate=4_000, num_mels=20, max_duration_s=0.5)
    noise = RNG.uniform(-0.5, 0.5, 8_000).astype(np.float32)

    logs = LogMel(features).of_stored(sound_file(noise, 8_000, "FLOAT"))

    half = resample_poly(noise[:4_000].astype(np.float64), 1, 2)
    assert np.array_equal(logs, LogMel(features)(half))
