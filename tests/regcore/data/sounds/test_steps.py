import pytest

from regcore.data.features import AudioFeatures
from regcore.data.sounds.steps import most_steps, num_kept, num_steps_of, window_and_hop

FEATURES = AudioFeatures(sample_rate=8_000)


def test_windows_and_hops_are_whole_samples():
    assert window_and_hop(AudioFeatures()) == (400, 160)
    assert window_and_hop(AudioFeatures(sample_rate=11_025)) == (276, 110)
    assert window_and_hop(AudioFeatures(sample_rate=1_000, window_s=1e-5, hop_s=1e-5)) == (1, 1)


@pytest.mark.parametrize("num_samples", [1, 199, 200, 201, 279, 280, 281, 1_000])
def test_steps_are_the_windows_that_fit(num_samples):
    window, hop = window_and_hop(FEATURES)

    starts = [start for start in range(0, num_samples, hop) if start + window <= num_samples]

    assert num_steps_of(num_samples, FEATURES) == max(1, len(starts))


def test_the_longest_sound_decides_up_to_where_sounds_are_cut():
    assert most_steps(1.0, FEATURES) == num_steps_of(8_000, FEATURES)
    assert most_steps(3_600.0, FEATURES) == num_steps_of(80_000, FEATURES)


@pytest.mark.parametrize(("rate", "num_samples"), [(44_100, 12_345), (22_050, 1), (8_000, 8_000), (48_000, 4_801)])
def test_no_sound_has_more_steps_than_the_set_says(rate, num_samples):
    resampled = -(-num_samples * FEATURES.sample_rate // rate)

    assert num_steps_of(resampled, FEATURES) <= most_steps(num_samples / rate, FEATURES)


def test_a_sound_is_cut_at_its_own_rate():
    features = AudioFeatures(max_duration_s=0.3)

    assert num_kept(44_100, 44_100, features) == 13_230
    assert num_kept(100, 44_100, features) == 100
