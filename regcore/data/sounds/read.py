"""WAV and FLAC files as a column of sounds."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil
from typing import Any, Final

import pyarrow as pa

from regcore.data.files.entry import Entry, MediaColumn
from regcore.data.media_facts import AudioFacts
from regcore.data.sounds.stored import StoredSound, store_file
from regcore.data.tables.facts import TableWarning
from regcore.errors import InvalidDataError, shortened

MAX_STORED_BYTES: Final = 600_000_000
"""Of all sounds as they are kept, which lie in memory together."""
_CHUNK_BYTES: Final = 32_000_000
_NUM_SHOWN: Final = 3


def read_sounds(entries: Sequence[Entry], on_progress: Callable[[float], None]) -> MediaColumn:
    """Read each file to its end, so that a damaged one is found now and not while training.

    Args:
        entries: WAV and FLAC files.
        on_progress: Is told the share that is done.

    Raises:
        InvalidDataError: A file is no sound, damaged, empty or too long, or all are too many; the file is named.
    """

    def stored() -> Iterator[tuple[str, StoredSound]]:
        for number, entry in enumerate(entries, start=1):
            yield entry.path, store_file(entry.read(), entry.path)
            on_progress(number / len(entries))

    return column_of(stored())


def column_of(sounds: Iterable[tuple[str, StoredSound]]) -> MediaColumn:
    """One column of all sounds, each with what messages call it.

    Raises:
        InvalidDataError: Together they take too much memory.
    """
    gathered = _Gathered()
    for name, sound in sounds:
        gathered.add(name, sound)
    return MediaColumn(gathered.cells(), gathered.facts(), list(gathered.warnings()))


class _Gathered:
    """Sounds that were read so far, and what is known of them. The bytes lie in memory once."""

    def __init__(self) -> None:
        self._chunks: list[Any] = []
        self._open: list[bytes] = []
        self._open_bytes = self._stored_bytes = self._num_sounds = 0
        self._total_s = self._longest_s = 0.0
        self._rates: Counter[int] = Counter()
        self._durations_s: Counter[int] = Counter()
        self._mixed: list[str] = []
        self._silent: list[str] = []

    def add(self, name: str, sound: StoredSound) -> None:
        self._stored_bytes += len(sound.content)
        if self._stored_bytes > MAX_STORED_BYTES:
            raise InvalidDataError(
                f"The sounds up to {name} take {self._stored_bytes:,} bytes without the channels that are mixed, and "
                f"may take {MAX_STORED_BYTES:,}.",
                remedy="Take a sample of them, cut them, or save them with fewer samples a second (16,000 Hz).",
                details={"file": name, "max_stored_bytes": MAX_STORED_BYTES},
            )
        self._open.append(sound.content)
        self._open_bytes += len(sound.content)
        if self._open_bytes >= _CHUNK_BYTES:
            self._close()
        self._num_sounds += 1
        self._total_s += sound.duration_s
        self._longest_s = max(self._longest_s, sound.duration_s)
        self._rates[sound.sample_rate] += 1
        self._durations_s[ceil(sound.duration_s)] += 1
        if sound.num_channels > 1:
            self._mixed.append(name)
        if sound.is_silent:
            self._silent.append(name)

    def cells(self) -> pa.ChunkedArray:
        self._close()
        return pa.chunked_array(self._chunks, pa.binary())

    def facts(self) -> AudioFacts:
        return AudioFacts(
            max_duration_s=self._longest_s,
            total_duration_s=self._total_s,
            sample_rates=dict(sorted(self._rates.items())),
            durations_s=dict(sorted(self._durations_s.items())),
        )

    def warnings(self) -> Iterator[TableWarning]:
        if len(self._rates) > 1:
            told = ", ".join(f"{rate:,} Hz ({count:,})" for rate, count in self._rates.most_common(_NUM_SHOWN + 2))
            yield _warning(
                "mixed_sample_rates",
                f"Sounds have {len(self._rates)} sample rates: {told}.",
                "Each is resampled to features.sample_rate; set it if the default is not meant.",
            )
        if self._mixed:
            yield _warning(
                "channels_mixed",
                f"{_some(self._mixed)} have several channels, which are mixed to their mean.",
                "If one channel is meant, save it alone.",
            )
        if self._silent:
            yield _warning(
                "silent_sounds",
                f"{_some(self._silent)} are silent: every sample is 0.",
                "Leave them out if they are not meant.",
            )

    def _close(self) -> None:
        if self._open:
            self._chunks.append(pa.array(self._open, pa.binary()))
            self._open, self._open_bytes = [], 0


def _some(names: Sequence[str]) -> str:
    examples = ", ".join(names[:_NUM_SHOWN]) + (", ..." if len(names) > _NUM_SHOWN else "")
    return f"{len(names):,} sounds ({shortened(examples, 200)})"


def _warning(code: str, message: str, remedy: str) -> TableWarning:
    return TableWarning(code=code, message=message, remedy=remedy, column="audio")
