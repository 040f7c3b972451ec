"""Small sounds, and files of them."""

import io
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 8_000


def tone(hertz: float, seconds: float = 0.1, rate: int = RATE, size: float = 0.5) -> NDArray[np.float64]:
    """A sine."""
    return size * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def sound_file(samples: NDArray[Any], rate: int = RATE, subtype: str = "PCM_16", format: str = "WAV") -> bytes:
    """The content of a file of these samples, (samples,) or (samples, channels)."""
    content = io.BytesIO()
    soundfile.write(content, samples, rate, subtype, format=format)
    return content.getvalue()


def tones(num_sounds: int, seed: int = 0) -> tuple[list[NDArray[np.float32]], NDArray[np.int64]]:
    """Low and high tones of different lengths in noise, and which is which: easy to tell."""
    rng = np.random.default_rng(seed)
    labels = np.arange(num_sounds) % 2
    sounds = []
    for label in labels:
        sound = tone((300, 1_500)[label] * rng.uniform(0.9, 1.1), rng.uniform(0.06, 0.14))
        sounds.append((sound + 0.02 * rng.standard_normal(len(sound))).astype(np.float32))
    return sounds, labels
