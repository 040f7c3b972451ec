import io
import struct
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from sound_files import RATE, sound_file, tone

from regcore.data.sounds.stored import samples_of, store_file, store_samples, told_sound
from regcore.errors import InvalidDataError

RNG = np.random.default_rng(0)
INTEGERS = RNG.integers(-(2**31), 2**31, 2_000, np.int64).astype(np.int32)


@pytest.mark.parametrize(
    ("subtype", "format", "bits"),
    [
        ("PCM_U8", "WAV", 8),
        ("PCM_16", "WAV", 16),
        ("PCM_24", "WAV", 24),
        ("PCM_16", "FLAC", 16),
        ("PCM_24", "FLAC", 24),
    ],
)
def test_samples_of_every_depth_are_kept_as_they_are(subtype, format, bits):
    stored = store_file(sound_file(INTEGERS, subtype=subtype, format=format), "a")

    samples, rate = samples_of(stored.content)

    assert np.array_equal(samples, (INTEGERS >> (32 - bits)) / 2 ** (bits - 1))
    assert (rate, stored.num_samples, stored.duration_s) == (RATE, 2_000, 0.25)


def test_floats_are_kept_beyond_1():
    floats = (3 * RNG.standard_normal(500)).astype(np.float32)

    samples, _ = samples_of(store_file(sound_file(floats, subtype="FLOAT"), "a").content)

    assert np.array_equal(samples, floats)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "FLOAT"])
def test_channels_are_mixed_to_their_mean_without_loss(subtype):
    channels = RNG.uniform(-1, 1, (500, 2)).astype(np.float32)
    content = sound_file(channels, subtype=subtype)

    stored = store_file(content, "a")

    mean = soundfile.read(io.BytesIO(content))[0].mean(1)
    assert stored.num_channels == 2
    assert np.allclose(samples_of(stored.content)[0], mean, rtol=0, atol=1e-7 if subtype == "FLOAT" else 0)


def test_telephones_samples_are_unpacked():
    content = sound_file(tone(440), subtype="ULAW")

    samples, _ = samples_of(store_file(content, "a").content)

    assert np.array_equal(samples, soundfile.read(io.BytesIO(content))[0])


def test_a_long_sound_is_packed_block_by_block():
    ramp = (np.arange(600_000) % 30_000).astype(np.int16)

    stored = store_file(sound_file(ramp), "a")

    assert np.array_equal(samples_of(stored.content)[0] * 2**15, ramp)


def test_silence_is_told():
    assert store_file(sound_file(np.zeros(100)), "a").is_silent
    assert not store_file(sound_file(np.r_[np.zeros(100), 0.1]), "a").is_silent


FLAC = sound_file(RNG.uniform(-1, 1, 20_000), format="FLAC")
TEN_HOURS = FLAC[:22] + struct.pack(">I", 36_000 * RATE) + FLAC[26:]
"""A file that says so of itself: the lower bytes of its number of samples are replaced."""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no sound that can be read"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "no sound that can be read"),
        (sound_file(tone(440))[:30], "is damaged"),
        (sound_file(tone(440))[:-10], "is cut off: 10 of"),
        (FLAC[: len(FLAC) // 2], "is damaged"),
        (FLAC[:5_000] + bytes(200) + FLAC[5_200:], "is damaged"),
        (sound_file(np.zeros(0)), "holds no sample"),
        (sound_file(tone(440), format="OGG", subtype="VORBIS"), "of format OGG, and WAV and FLAC are read"),
        (sound_file(np.array([0.1, np.nan]), subtype="FLOAT"), "samples that are no numbers"),
        (sound_file(tone(440), rate=500), "has 500 samples a second"),
        (sound_file(np.zeros((10, 40))), "has 40 channels"),
        (TEN_HOURS, "is 36,000 s long, and a sound may have 600 s"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",  # a file of OGG differs from run to run
)
def test_what_is_no_whole_sound_is_refused_by_name(content, said):
    with pytest.raises(InvalidDataError, match=f"cats/7.wav.*{said}") as raised:
        store_file(content, "cats/7.wav")

    assert raised.value.details["file"] == "cats/7.wav"
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("dtype", "largest"), [(np.float32, 1), (np.float64, 1), (np.float16, 1), (np.int16, 2**15), (np.int32, 2**31)]
)
def test_samples_of_a_program_are_kept_as_they_are(dtype, largest):
    given = (RNG.uniform(-0.9, 0.9, 300) * largest).astype(dtype)

    stored = store_samples(given, 16_000, "sound 1")

    assert np.array_equal(samples_of(stored.content)[0], given.astype(np.float64) / largest)
    assert (stored.num_samples, stored.sample_rate) == (300, 16_000)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((2, 100)), r"one dimension; received one of shape \(2, 100\)"),
        (np.zeros(0), "one dimension"),
        (np.zeros(5, np.int64), "received int64"),
        (np.array(["a"]), "received <U1"),
        (np.array([0.0, np.inf]), "NaN or infinity"),
        (np.zeros(700_000), "is 700 s long"),
    ],
)
def test_other_arrays_are_no_samples(given, said):
    with pytest.raises(InvalidDataError, match=f"sound 3.*{said}"):
        store_samples(given, 1_000, "sound 3")


def test_a_sound_is_told_in_a_few_words():
    assert told_sound(store_file(sound_file(tone(440, 0.52, 16_000), 16_000), "a").content) == "0.52 s, 16,000 Hz"


def test_integers_of_stereo_keep_halves():
    pair = np.array([[1, 2], [3, 3], [-5, 0]], np.int16)

    samples, _ = samples_of(store_file(sound_file(pair), "a").content)

    assert (samples * 2**15).tolist() == [1.5, 3.0, -2.5]
    assert all(a != b for a, b in pairwise(samples))
