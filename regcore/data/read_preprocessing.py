"""The `preprocessing` of a `model.json`: of images, of a table or of sequences."""

from typing import Any

from regcore.data.preprocessing import Preprocessing
from regcore.data.sequences import SequencePreprocessing
from regcore.data.tables.encode import TablePreprocessing

AnyPreprocessing = Preprocessing | TablePreprocessing | SequencePreprocessing


def read_preprocessing(body: dict[str, Any]) -> AnyPreprocessing:
    """The inverse of `to_json` of any."""
    kinds: dict[str, type[AnyPreprocessing]] = {
        "table": TablePreprocessing,
        "sequence": SequencePreprocessing,
        "image": Preprocessing,
    }
    return kinds[body["kind"]].from_json(body)
