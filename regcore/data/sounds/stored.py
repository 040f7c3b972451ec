"""How a sound is kept in a set: with one channel, at its own rate, as FLAC or as WAV of floats, without loss.

Channels are mixed to their mean. Samples that were integers stay integers of no fewer bits (FLAC); floats stay 32-bit
floats (WAV), which may exceed 1; only 32-bit integers and 64-bit floats lose digits, and only such as no ear hears.
"""

import io
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from regcore.data.sounds.whole import check_whole
from regcore.errors import InvalidDataError

MAX_DURATION_S: Final = 600
"""Of one sound: the most that `features.max_duration_s` may be."""
SAMPLE_RATES: Final = (1_000, 192_000)
"""The smallest and the largest, in Hz, as of `features.sample_rate`."""
MAX_CHANNELS: Final = 32
_FORMATS: Final = frozenset(("WAV", "WAVEX", "RF64", "FLAC"))
_FLOATS: Final = frozenset(("FLOAT", "DOUBLE", "PCM_32"))
_KEPT_AS: Final = {"PCM_U8": "PCM_S8", "PCM_S8": "PCM_S8", "PCM_24": "PCM_24"}
"""Of samples that are integers; all others, such as telephones' μ-law, have 16 bits once they are unpacked."""
_WITH_MORE_BITS: Final = {"PCM_S8": "PCM_16", "PCM_16": "PCM_24", "PCM_24": "PCM_24"}
"""For the mean of several channels, whose halves need bits of their own."""
_BLOCK_SAMPLES: Final = 1 << 18
"""Of all channels together, that are unpacked at once."""
_DAMAGED: Final = "It may have been cut off or changed on its way: save it again, or leave it out."


@dataclass(frozen=True, slots=True)
class StoredSound:
    """A sound that was read to its end.

    Attributes:
        content: As it is kept.
        num_samples: How many it has.
        sample_rate: How many of them a second has.
        num_channels: That the file had.
        is_silent: Whether all samples are 0.
    """

    content: bytes
    num_samples: int
    sample_rate: int
    num_channels: int
    is_silent: bool

    @property
    def duration_s(self) -> float:
        """From the first sample to the last."""
        return self.num_samples / self.sample_rate


def store_file(content: bytes, path: str) -> StoredSound:
    """A WAV or FLAC file as it is kept.

    Args:
        content: Of the file; what it is, it says itself, whatever the file is called.
        path: What messages call it.

    Raises:
        InvalidDataError: It is no such sound, is damaged, empty or longer than sounds may be; the file is named.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            _check_header(file, path)
            check_whole(content, path)
            stored = _store(file, path)
    except soundfile.SoundFileError as error:
        raise _unreadable(content, path, error) from None
    return stored


def store_samples(samples: NDArray[Any], sample_rate: int, name: str) -> StoredSound:
    """Samples that a program holds, as they are kept: without loss.

    Args:
        samples: (samples,): floats, as a rule in [-1, 1], or integers of 16 or 32 bits, whose range is [-1, 1).
        sample_rate: In Hz.
        name: What messages call them.

    Raises:
        InvalidDataError: They are no samples.
    """
    if samples.ndim != 1 or not len(samples):
        raise _wrong(
            f"{name} must be samples of one channel, an array of one dimension; received one of shape {samples.shape}",
            "Take the mean of the channels, and leave out sounds without samples.",
        )
    if samples.dtype.kind not in "fi" or samples.dtype in (np.int8, np.int64):
        raise _wrong(
            f"{name} must be floats, or integers of 16 or 32 bits; received {samples.dtype}",
            "Scale the samples to [-1, 1].",
        )
    if len(samples) > MAX_DURATION_S * sample_rate:
        raise _too_long(name, len(samples) / sample_rate)
    if not np.isfinite(samples).all():
        raise _wrong(f"{name} holds NaN or infinity", "Replace it, or leave the sound out.")
    if samples.dtype == np.int32:
        samples = samples.astype(np.float64) / 2**31
    kept = samples.astype(np.float32) if samples.dtype == np.float16 else samples
    subtype = {2: "PCM_16", 4: "FLOAT"}.get(kept.dtype.itemsize, "DOUBLE")
    content = io.BytesIO()
    soundfile.write(content, np.ascontiguousarray(kept), sample_rate, subtype, format="WAV")
    return StoredSound(content.getvalue(), len(kept), sample_rate, 1, not kept.any())


def samples_of(content: bytes) -> tuple[NDArray[np.float64], int]:
    """The samples of a stored sound, (samples,), and its rate in Hz."""
    with soundfile.SoundFile(io.BytesIO(content)) as file:
        samples: NDArray[np.float64] = file.read(dtype="float64")
        return samples, file.samplerate


def told_sound(content: bytes) -> str:
    """A stored sound in a few words: `0.52 s, 16,000 Hz`."""
    with soundfile.SoundFile(io.BytesIO(content)) as file:
        return f"{file.frames / file.samplerate:,.2f} s, {file.samplerate:,} Hz"


def _check_header(file: soundfile.SoundFile, path: str) -> None:
    """Refuse what no set of sounds holds, before anything is unpacked."""
    if file.format not in _FORMATS:
        raise _wrong(
            f"{path} is a sound of format {file.format}, and WAV and FLAC are read", "Save it as one of these.", path
        )
    if not file.frames:
        raise _wrong(f"{path} holds no sample", "Leave it out.", path)
    if not SAMPLE_RATES[0] <= file.samplerate <= SAMPLE_RATES[1]:
        raise _wrong(
            f"{path} has {file.samplerate:,} samples a second, and may have from {SAMPLE_RATES[0]:,} to "
            f"{SAMPLE_RATES[1]:,}",
            "Resample it.",
            path,
        )
    if file.channels > MAX_CHANNELS:
        raise _wrong(f"{path} has {file.channels:,} channels, and may have {MAX_CHANNELS}", "Mix them.", path)
    if file.frames > MAX_DURATION_S * file.samplerate:
        raise _too_long(path, file.frames / file.samplerate)


def _store(file: soundfile.SoundFile, path: str) -> StoredSound:
    """Unpack, mix and pack again, a block after the other: an hour of FLAC would not fit into memory unpacked."""
    is_float = file.subtype in _FLOATS
    subtype = "FLOAT" if is_float else _KEPT_AS.get(file.subtype, "PCM_16")
    if file.channels > 1 and not is_float:
        subtype = _WITH_MORE_BITS[subtype]
    content = io.BytesIO()
    num_read, is_silent = 0, True
    kept = soundfile.SoundFile(content, "w", file.samplerate, 1, subtype, format="WAV" if is_float else "FLAC")
    num_block = max(1, _BLOCK_SAMPLES // file.channels)
    with kept:
        for block in file.blocks(num_block, dtype="float32" if is_float else "int32", always_2d=True):
            if is_float and not np.isfinite(block).all():
                raise _wrong(f"{path} holds samples that are no numbers", _DAMAGED, path)
            mixed = _mixed(block)
            is_silent = is_silent and not mixed.any()
            num_read += len(block)
            kept.write(mixed)
    if num_read != file.frames:
        raise _wrong(f"{path} ends after {num_read:,} of {file.frames:,} samples", _DAMAGED, path)
    return StoredSound(content.getvalue(), num_read, file.samplerate, file.channels, is_silent)


def _mixed(block: NDArray[Any]) -> NDArray[Any]:
    """The mean of the channels, of the block's type."""
    num_channels = block.shape[1]
    if num_channels == 1:
        return block[:, 0]
    is_integer = block.dtype == np.int32
    mean = block.sum(1, dtype=np.int64) // num_channels if is_integer else block.mean(1, dtype=np.float64)
    mixed: NDArray[Any] = mean.astype(block.dtype)
    return mixed


def _unreadable(content: bytes, path: str, error: soundfile.SoundFileError) -> InvalidDataError:
    said = str(getattr(error, "error_string", error)).removeprefix("Error :").strip().rstrip(".")
    is_sound = content[:4] in (b"RIFF", b"RF64", b"fLaC")
    if is_sound:
        return _wrong(f"{path} is damaged: {said}", _DAMAGED, path)
    return _wrong(f"{path} is no sound that can be read", "Save it as WAV or FLAC, or leave it out.", path)


def _too_long(path: str, duration_s: float) -> InvalidDataError:
    return _wrong(
        f"{path} is {duration_s:,.0f} s long, and a sound may have {MAX_DURATION_S} s",
        "Cut it into pieces: each is a row, with a class of its own.",
        path,
    )


def _wrong(message: str, remedy: str, path: str | None = None) -> InvalidDataError:
    return InvalidDataError(f"{message}.", remedy=remedy, details={} if path is None else {"file": path})
