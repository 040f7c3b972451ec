"""The log-mel spectrogram of a sound: its energy by time and pitch.

Each sound is computed by itself and in double precision, so that a sound has the same numbers whatever is computed
beside it, and a predictor sees what its run has seen.

Source: Davis & Mermelstein 1980, Comparison of parametric representations for monosyllabic word recognition; the mel
scale of O'Shaughnessy 1987, Speech Communication, as in HTK.
"""

import math
from functools import lru_cache
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import firwin, resample_poly

from regcore.data.features import AudioFeatures
from regcore.data.sounds.steps import num_kept, window_and_hop
from regcore.data.sounds.stored import samples_of

FLOOR: Final = 1e-10
"""The least power in a band: about what rounding to 16 bits adds to one, so that silence is no outlier."""
_MOST_PLACES: Final = 1 << 15
"""Of a Fourier transform."""


class LogMel:
    """log max(Σ_f h_bf · |STFT(x)_tf|², 1e-10) of steps t and bands b.

    Windows (Hann) lie within the sound, with no padding but behind one that is shorter than a window. A window has the
    energy 1, so that white noise of variance σ² has the power σ² at each frequency. The bands h are triangles of height
    1, evenly spaced on the mel scale from 0 to half the sample rate.

    Args:
        features: Rate, bands and times.
    """

    def __init__(self, features: AudioFeatures) -> None:
        self._features = features
        self._window_samples, self._hop_samples = window_and_hop(features)
        self._num_places = _num_places(features, self._window_samples)
        window = torch.hann_window(self._window_samples, dtype=torch.float64)
        self._window = window / window.square().sum().sqrt()
        self._bands = torch.from_numpy(mel_bands(features, self._num_places))

    def of_stored(self, content: bytes) -> NDArray[np.float64]:
        """Of a sound as it is kept, cut and resampled as the features say, (steps, bands)."""
        samples, rate = samples_of(content)
        kept = samples[: num_kept(len(samples), rate, self._features)]
        return self(resampled(kept, rate, self._features.sample_rate))

    def __call__(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of samples at the features' rate, (samples,) to (steps, bands)."""
        # `stft` puts the window into the middle of a longer transform, which must not cost steps at the ends.
        around = self._num_places - self._window_samples
        behind = max(0, self._window_samples - len(samples)) + around - around // 2
        padded = torch.nn.functional.pad(torch.from_numpy(np.ascontiguousarray(samples)), (around // 2, behind))
        spectrum = torch.stft(
            padded,
            self._num_places,
            self._hop_samples,
            self._window_samples,
            self._window,
            center=False,
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()
        logs: NDArray[np.float64] = (power.T @ self._bands).clamp_(min=FLOOR).log_().numpy()
        return logs


def mel_bands(features: AudioFeatures, num_places: int) -> NDArray[np.float64]:
    """How much each frequency of a transform of so many places counts in each band, (places / 2 + 1, bands)."""
    frequencies = np.linspace(0, features.sample_rate / 2, num_places // 2 + 1)
    edges = _edges(features)
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies[:, None] - left) / (middle - left)
    falling = (right - frequencies[:, None]) / (right - middle)
    bands: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    return bands


def resampled(samples: NDArray[np.float64], rate: int, wanted: int) -> NDArray[np.float64]:
    """At another rate, without what that rate has no place for, (⌈samples · wanted / rate⌉,)."""
    if rate == wanted:
        return samples
    divisor = math.gcd(rate, wanted)
    up, down = wanted // divisor, rate // divisor
    changed: NDArray[np.float64] = resample_poly(samples, up, down, window=_low_pass(up, down))
    return changed


@lru_cache(maxsize=16)
def _low_pass(up: int, down: int) -> Any:
    """The filter that `resample_poly` makes by itself, anew for each sound."""
    most = max(up, down)
    return firwin(20 * most + 1, 1 / most, window=("kaiser", 5.0))


def _num_places(features: AudioFeatures, window_samples: int) -> int:
    """The smallest power of 2 that holds a window and leaves no band without a frequency of its own."""
    num_places = 1 << max(1, (window_samples - 1).bit_length())
    while num_places < _MOST_PLACES and not mel_bands(features, num_places).any(axis=0).all():
        num_places *= 2
    return num_places


def _edges(features: AudioFeatures) -> NDArray[np.float64]:
    """In Hz: where bands begin, are highest and end, each at its neighbour's middle; mel = 1127 · ln(1 + Hz / 700)."""
    highest = 1127 * math.log1p(features.sample_rate / 2 / 700)
    edges: NDArray[np.float64] = 700 * np.expm1(np.linspace(0, highest, features.num_mels + 2) / 1127)
    return edges
