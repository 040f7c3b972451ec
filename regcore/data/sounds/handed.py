"""Sounds that a program holds: arrays of samples, and paths of files, as a table."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from regcore.data.features import AudioFeatures
from regcore.data.files.entry import MediaColumn
from regcore.data.media_facts import AudioFacts
from regcore.data.sounds.inputs import AUDIO
from regcore.data.sounds.read import column_of
from regcore.data.sounds.stored import StoredSound, store_file, store_samples
from regcore.data.tables.media_column import with_media
from regcore.data.tables.read.arrays import table_of
from regcore.data.tables.table import Table
from regcore.errors import InvalidDataError

DEFAULT_RATE: Final = AudioFeatures().sample_rate
_ENDINGS: Final = (".wav", ".flac")
_NAME: Final = "sound"
_HOW: Final = (
    "Give a list with an item for each sound: its samples, an array of one dimension, or the path of its file."
)


def are_paths_of_sounds(x: Any) -> bool:
    """Whether rows are paths of WAV or FLAC files, all of them."""
    return isinstance(x, list | tuple) and len(x) > 0 and all(map(is_path_of_a_sound, x))


def is_path_of_a_sound(row: Any) -> bool:
    """Whether a row is the path of a WAV or FLAC file, by its ending; a folder may be called so too."""
    return isinstance(row, str | Path) and Path(row).suffix.lower() in _ENDINGS and not Path(row).is_dir()


def table_of_sounds(x: Any, y: Any, sample_rate: int) -> Table:
    """The table of these sounds, with a column `audio`.

    Args:
        x: N sounds, each the samples of one channel, or a WAV or FLAC file by its path or as bytes; or (N, samples).
        y: The targets, (N,); None without.
        sample_rate: Of samples, in Hz; files say theirs.

    Raises:
        InvalidDataError: They are no sounds, or x and y differ in length.
    """
    sounds = sounds_of(x, sample_rate)
    names = [str(sound) if isinstance(sound, str | Path) else f"{number:,}" for number, sound in enumerate(x, start=1)]
    beside = table_of({_NAME: names}, y)
    columns = [
        one if one.name == beside.facts.default_target else one.model_copy(update={"type": "ignore", "why": ""})
        for one in beside.facts.columns
    ]
    facts = beside.facts.model_copy(update={"columns": columns})
    return with_media(beside.columns, facts, AUDIO, sounds, examples=names)


def sounds_of(x: Any, sample_rate: int) -> MediaColumn:
    """One column of such sounds."""
    items = x if isinstance(x, list | tuple) else _rows_of_array(x)
    if not items:
        raise InvalidDataError("there are no sounds", remedy=_HOW)
    return column_of(_stored(items, sample_rate))


def joined_sounds(parts: Mapping[str, Table]) -> MediaColumn:
    """The sounds of several tables as one column.

    Args:
        parts: By what messages call them.
    """
    tables = list(parts.values())
    each = [column.audio for part in tables if (column := part.facts.column(AUDIO)) is not None and column.audio]
    facts = AudioFacts(
        max_duration_s=max(facts.max_duration_s for facts in each),
        total_duration_s=sum(facts.total_duration_s for facts in each),
        sample_rates=_added([facts.sample_rates for facts in each]),
        durations_s=_added([facts.durations_s for facts in each]),
    )
    cells = pa.chunked_array([chunk for part in tables for chunk in part.columns[AUDIO].chunks])
    warnings = [warning for part in tables for warning in part.facts.warnings if warning.column == AUDIO]
    return MediaColumn(cells, facts, warnings)


def _added(counts: Sequence[dict[int, int]]) -> dict[int, int]:
    keys = sorted({key for one in counts for key in one})
    return {key: sum(one.get(key, 0) for one in counts) for key in keys}


def _rows_of_array(x: Any) -> list[Any]:
    rows = _array(x, "x")
    if rows.ndim == 1 and rows.dtype.kind in "OU":  # paths or sounds of several lengths
        return list(rows)
    if rows.ndim != 2:
        raise InvalidDataError(
            f"sounds must be a list of them, or an array (sounds, samples); received {type(x).__name__} of shape "
            f"{rows.shape}",
            remedy=_HOW,
        )
    return list(rows)


def _stored(items: Sequence[Any], sample_rate: int) -> Iterator[tuple[str, StoredSound]]:
    for number, item in enumerate(items, start=1):
        if isinstance(item, str | Path):
            yield str(item), store_file(_content(Path(item)), str(item))
        elif isinstance(item, bytes):
            name = f"sound {number:,}"
            yield name, store_file(item, name)
        else:
            name = f"sound {number:,}"
            yield name, store_samples(_array(item, name), sample_rate, name)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidDataError(f"{path} cannot be read: {error.strerror}.", remedy="Check the path.") from None


def _array(samples: Any, name: str) -> Any:
    """An array of an array, a tensor or a list."""
    plain = samples.detach().cpu() if hasattr(samples, "detach") else samples
    try:
        return np.asarray(plain)
    except (TypeError, ValueError) as error:
        raise InvalidDataError(f"{name} cannot be read as samples: {error}", remedy=_HOW) from None
