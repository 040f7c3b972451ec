"""The `preprocessing` of a `model.json`, of any modality, and raw rows for it."""

from collections.abc import Callable
from typing import Any, Final

from regcore.data.encoded import Encoded, Preprocessing
from regcore.data.images.apply import apply_to_images
from regcore.data.images.preprocessing import ImagePreprocessing
from regcore.data.sequences import SequencePreprocessing, apply_to_sequences
from regcore.data.sounds.apply import apply_to_sounds
from regcore.data.sounds.encode import AudioPreprocessing
from regcore.data.tables.apply import apply_to_table
from regcore.data.tables.encode import TablePreprocessing
from regcore.data.texts.apply import apply_to_texts
from regcore.data.texts.encode import TextPreprocessing

_KINDS: Final[dict[str, tuple[Any, Callable[[Any, Any, Any], Encoded]]]] = {
    "table": (TablePreprocessing, apply_to_table),
    "text": (TextPreprocessing, apply_to_texts),
    "sequence": (SequencePreprocessing, apply_to_sequences),
    "audio": (AudioPreprocessing, apply_to_sounds),
    "image": (ImagePreprocessing, apply_to_images),
}
"""By kind: its class, and what makes rows of the network of whatever users call rows."""


def read_preprocessing(body: dict[str, Any]) -> Preprocessing:
    """The inverse of `to_json` of any."""
    read: Preprocessing = _KINDS[body["kind"]][0].from_json(body)
    return read


def apply_preprocessing(preprocessing: Preprocessing, raw_rows: Any, dtype: Any) -> Encoded:
    """Rows of the network.

    Args:
        preprocessing: What was fitted on the train rows.
        raw_rows: As `Predictor.predict` takes them.
        dtype: float32 or float64.

    Raises:
        InvalidDataError: They cannot be what it was fitted on.
    """
    return _KINDS[preprocessing.kind][1](preprocessing, raw_rows, dtype)
