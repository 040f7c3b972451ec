"""The built-in set of spoken digits, whose files lie in the package; see `tiny_speech.md`."""

import zipfile
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from regcore.data.features import AudioFeatures
from regcore.data.media_facts import AudioFacts
from regcore.data.sounds.inputs import AudioInputs

ARCHIVE: Final = Path(__file__).with_name("tiny_speech.zip")
"""A folder for each digit, and in it `voice_take.flac`."""

TINY_SPEECH_INPUTS: Final = AudioInputs(
    AudioFeatures(sample_rate=8_000),
    AudioFacts(max_duration_s=0.7595, total_duration_s=173.6355, sample_rates={8_000: 400}, durations_s={1: 400}),
)
"""Its sounds as they reach the network: their rate is all that differs from the defaults."""


def read_tiny_speech() -> tuple[NDArray[np.object_], NDArray[np.int64], NDArray[np.object_]]:
    """The files, which are as sounds are stored, the digit of each, and the voice that speaks it; each (N,)."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        paths = sorted(archive.namelist())
        files = np.array([archive.read(path) for path in paths], dtype=object)
    digits = np.array([int(path[0]) for path in paths], np.int64)
    voices = np.array([path.partition("/")[2].rpartition("_")[0] for path in paths], dtype=object)
    return files, digits, voices
