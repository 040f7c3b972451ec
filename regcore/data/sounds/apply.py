"""Raw sounds, of which a trained network is asked."""

from pathlib import Path
from typing import Any

from regcore.data.encoded import Encoded
from regcore.data.sounds.encode import AudioPreprocessing
from regcore.data.sounds.handed import is_path_of_a_sound, sounds_of
from regcore.data.tables.read import read_file
from regcore.data.tables.table import Table
from regcore.errors import InvalidDataError


def apply_to_sounds(preprocessing: AudioPreprocessing, raw_rows: Any, dtype: Any) -> Encoded:
    """The rows of the network, and notes.

    Args:
        preprocessing: What was fitted on the train rows.
        raw_rows: The path of a WAV or FLAC file, of a folder or of a ZIP archive of such; a list of paths, or of arrays
            of samples at the rate of training's features; or a `Table` of sounds.
        dtype: float32 or float64.

    Raises:
        InvalidDataError: They are no sounds, or a file is damaged.
    """
    cells, notes = _cells(preprocessing, raw_rows)
    encoded = preprocessing.encode({preprocessing.column: cells}, dtype)
    return Encoded(encoded.x, encoded.lengths, [*notes, *encoded.notes])


def _cells(preprocessing: AudioPreprocessing, raw_rows: Any) -> tuple[Any, list[str]]:
    if isinstance(raw_rows, str | Path):
        path = Path(raw_rows)
        raw_rows = [path] if is_path_of_a_sound(path) else read_file(path, has_classes=False)
    if isinstance(raw_rows, Table):
        column = next((one for one in raw_rows.facts.columns if one.audio is not None), None)
        if column is None:
            raise InvalidDataError(
                f"the model takes sounds, and these rows are of modality {raw_rows.facts.modality}",
                remedy="Give WAV or FLAC files, a folder or a ZIP archive of them, or arrays of samples.",
            )
        return raw_rows.columns[column.name], [warning.message for warning in raw_rows.facts.warnings]
    sounds = sounds_of(raw_rows, preprocessing.features.sample_rate)
    return sounds.cells, [warning.message for warning in sounds.warnings]
