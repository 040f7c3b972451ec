"""What is known of a column of images, texts or sounds once its set was read: enough to plan any job on it."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from regcore.frozen import Immutable

_Pair = Annotated[tuple[int, int], Field(strict=False)]
"""A list in JSON."""


def _whole_keys(counts: Any) -> Any:
    """The keys of a JSON object are text, also where they stand for numbers."""
    if not isinstance(counts, dict):
        return counts
    return {int(key) if isinstance(key, str) and key.isdecimal() else key: count for key, count in counts.items()}


Counts = Annotated[dict[int, int], BeforeValidator(_whole_keys)]
"""How often each whole number occurs."""


class ImageFacts(Immutable):
    """Of a column of images."""

    heights: _Pair
    """Smallest and largest, in pixels, once the image stands upright."""
    widths: _Pair
    """Smallest and largest, in pixels."""
    all_grey: bool
    """Whether none has colours."""
    shape: Annotated[tuple[int, int, int], Field(strict=False)] | None = None
    """Channels, height and width of images that came as arrays of numbers; null for files of images."""
    maximum: float | None = None
    """Of arrays: the number that stands for white."""
    dtype: Literal["uint8", "float32", "float64"] | None = None
    """Of arrays: the type of their numbers."""


class TextFacts(Immutable):
    """Of a column of text."""

    num_words: int
    """Distinct words and marks, as they are spelled; of more than a million, a million."""
    num_lowercase_words: int
    """The same, where `The` and `the` are one."""
    num_characters: int
    """Characters of the distinct words together."""
    max_words: int
    """Of the longest text, in words and marks."""
    max_bytes: int
    """Of the longest text, in UTF-8."""
    num_empty: int = 0
    """Texts without any word."""
    is_running: bool = True
    """Whether most texts have several words, as names of things and identifiers have not."""


class AudioFacts(Immutable):
    """Of a column of sounds."""

    max_duration_s: float
    """Of the longest."""
    total_duration_s: float
    """Of all together."""
    sample_rates: Counts
    """Sounds of each rate in Hz."""
    durations_s: Counts
    """Sounds by duration, rounded up to whole seconds."""
