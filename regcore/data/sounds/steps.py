"""How many samples and steps a sound has: known from its duration, without a sound at hand."""

import math

from regcore.data.features import AudioFeatures

_ROUNDING = 1e-6
"""Of a sample: durations are quotients, and so not exact."""


def window_and_hop(features: AudioFeatures) -> tuple[int, int]:
    """Samples in the window of a step, and from step to step."""
    rate = features.sample_rate
    return max(1, round(features.window_s * rate)), max(1, round(features.hop_s * rate))


def num_kept(num_samples: int, sample_rate: int, features: AudioFeatures) -> int:
    """Of a stored sound, the samples that are not cut off."""
    return min(num_samples, max(1, math.floor(features.max_duration_s * sample_rate + _ROUNDING)))


def num_steps_of(num_samples: int, features: AudioFeatures) -> int:
    """Whole windows in so many samples of the network's rate; 1 for a sound that is shorter than a window."""
    window, hop = window_and_hop(features)
    return 1 + max(0, num_samples - window) // hop


def most_steps(longest_s: float, features: AudioFeatures) -> int:
    """Steps of the longest sound of a set, once it is cut and resampled."""
    kept_s = min(longest_s, features.max_duration_s)
    return num_steps_of(math.ceil(kept_s * features.sample_rate - _ROUNDING), features)
