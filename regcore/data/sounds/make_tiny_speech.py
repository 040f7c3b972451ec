"""Makes `tiny_speech.zip` again: `python -m regcore.data.sounds.make_tiny_speech OUT.zip`.

Needs the program espeak-ng 1.51 (Debian: `apt install espeak-ng`). What it writes, and why it may be given on, is told
in `tiny_speech.md`.
"""

import io
import subprocess
import sys
import zipfile
from itertools import cycle
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

_SAMPLE_RATE: Final = 8_000
_ACCENTS: Final = (
    "en", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-029", "en-gb-x-gbcwmd",
)  # fmt: skip
_SPEAKERS: Final = (
    "f1", "m1", "f2", "m2", "f3", "m3", "f4", "m4", "f5", "m5", "Alicia", "m6", "Annie", "m7", "belinda", "m8",
    "linda", "adam", "steph", "Denis",
)  # fmt: skip
"""Each speaks with one accent, so that no voice is another's with a different one."""
_TAKES: Final = {"slow": (150, 40), "fast": (200, 60)}
"""Words a minute, and pitch from 0 to 99."""
_WORDS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SILENCE: Final = 0.01
"""Of the loudest sample; what is softer at both ends is cut off."""
_MARGIN_S: Final = 0.02
_PEAK: Final = 0.7
_STEP: Final = 32
"""Samples are multiples of this, as of 11 bits: FLAC leaves out what is always 0, and the file is a third smaller."""
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)


def spoken(word: str, accent: str, speaker: str, words_a_minute: int, pitch: int) -> NDArray[np.int16]:
    """One word at 8 kHz."""
    command = ["espeak-ng", "-v", f"{accent}+{speaker}", "-s", str(words_a_minute), "-p", str(pitch), "--stdout", word]
    output = subprocess.run(command, capture_output=True, check=True).stdout
    samples, rate = soundfile.read(io.BytesIO(output), dtype="float64")
    low = resample_poly(samples, _SAMPLE_RATE, rate)
    loud = np.flatnonzero(np.abs(low) > _SILENCE * np.abs(low).max())
    margin = round(_MARGIN_S * _SAMPLE_RATE)
    word_alone = low[max(0, loud[0] - margin) : loud[-1] + 1 + margin]
    scaled = word_alone * (_PEAK * 2**15 / np.abs(word_alone).max())
    rounded: NDArray[np.int16] = (np.round(scaled / _STEP) * _STEP).astype(np.int16)
    return rounded


def main(path: str) -> None:
    """Write the archive: a folder for each digit, and in it `voice_take.flac`."""
    seen: set[bytes] = set()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for digit, word in enumerate(_WORDS):
            for speaker, accent in zip(_SPEAKERS, cycle(_ACCENTS), strict=False):
                for take, (words_a_minute, pitch) in _TAKES.items():
                    samples = spoken(word, accent, speaker, words_a_minute, pitch)
                    content = io.BytesIO()
                    soundfile.write(content, samples, _SAMPLE_RATE, "PCM_16", format="FLAC")
                    # espeak-ng speaks as another voice where it does not know one.
                    assert content.getvalue() not in seen, f"{accent}+{speaker} is no voice of its own"
                    seen.add(content.getvalue())
                    info = zipfile.ZipInfo(f"{digit}/{accent}+{speaker}_{take}.flac", _LONG_AGO)
                    archive.writestr(info, content.getvalue())


if __name__ == "__main__":
    main(sys.argv[1])
