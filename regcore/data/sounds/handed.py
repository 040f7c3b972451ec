"""Sounds that a program holds: arrays of samples, and paths of files, as a table."""

from collections.abc import Iterator, Sequence
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
from regcore.data.tables.facts import MAX_EXAMPLES, ColumnFacts, Reading, TableFacts
from regcore.data.tables.find_types import find_facts
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
    return isinstance(x, list | tuple) and len(x) > 0 and all(map(_is_path_of_a_sound, x))


def table_of_sounds(x: Any, y: Any, sample_rate: int) -> Table:
    """The table of these sounds, with a column `audio`.

    Args:
        x: N sounds, each the samples of one channel or a path of a WAV or FLAC file; or (N, samples).
        y: The targets, (N,); None without.
        sample_rate: Of samples, in Hz; files say theirs.

    Raises:
        InvalidDataError: They are no sounds, or x and y differ in length.
    """
    sounds = sounds_of(x, sample_rate)
    names = [str(sound) if isinstance(sound, str | Path) else f"{number:,}" for number, sound in enumerate(x, start=1)]
    return with_sounds(table_of({_NAME: names}, y), sounds)


def sounds_of(x: Any, sample_rate: int) -> MediaColumn:
    """One column of such sounds."""
    items = x if isinstance(x, list | tuple) else _rows_of_array(x)
    if not items:
        raise InvalidDataError("there are no sounds", remedy=_HOW)
    return column_of(_stored(items, sample_rate))


def with_sounds(beside: Table, sounds: MediaColumn) -> Table:
    """The table of the columns that are beside the sounds, and of these."""
    reading = Reading(num_missing=0, num_distinct=len(sounds.cells))
    own = ColumnFacts(
        name=AUDIO,
        type=AUDIO,
        readings={AUDIO: reading, "category": reading},
        values=None,
        examples=beside.facts.columns[0].examples[:MAX_EXAMPLES],
    ).model_copy(update={AUDIO: sounds.facts})
    columns = [
        one if one.name == beside.facts.default_target else one.model_copy(update={"type": "ignore", "why": ""})
        for one in beside.facts.columns
    ]
    facts = beside.facts.model_copy(
        update={
            "modality": AUDIO,
            "columns": [*columns, own],
            "warnings": [*beside.facts.warnings, *sounds.warnings],
        }
    )
    return Table(beside.columns.append_column(AUDIO, sounds.cells), facts)


def joined_sounds(columns: pa.Table, parts: Sequence[TableFacts]) -> Table:
    """The table of several tables of sounds.

    Args:
        columns: Their rows together.
        parts: The facts of each.
    """
    each = [column.audio for part in parts if (column := part.column(AUDIO)) is not None and column.audio is not None]
    facts = AudioFacts(
        max_duration_s=max(facts.max_duration_s for facts in each),
        total_duration_s=sum(facts.total_duration_s for facts in each),
        sample_rates=_added([facts.sample_rates for facts in each]),
        durations_s=_added([facts.durations_s for facts in each]),
    )
    beside = columns.drop_columns([AUDIO])
    found = find_facts(beside, format="arrays", default_target=parts[0].default_target)
    warnings = [warning for part in parts for warning in part.warnings if warning.column == AUDIO]
    return with_sounds(Table(beside, found), MediaColumn(columns[AUDIO], facts, warnings))


def _added(counts: Sequence[dict[int, int]]) -> dict[int, int]:
    keys = sorted({key for one in counts for key in one})
    return {key: sum(one.get(key, 0) for one in counts) for key in keys}


def _is_path_of_a_sound(row: Any) -> bool:
    return isinstance(row, str | Path) and Path(row).suffix.lower() in _ENDINGS


def _rows_of_array(x: Any) -> list[Any]:
    rows = _array(x, "x")
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
