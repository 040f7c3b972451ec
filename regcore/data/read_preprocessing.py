"""The `preprocessing` of a `model.json`, of images or of a table."""

from typing import Any

from regcore.data.preprocessing import Preprocessing
from regcore.data.tables.encode import TablePreprocessing


def read_preprocessing(body: dict[str, Any]) -> Preprocessing | TablePreprocessing:
    """The inverse of `to_json` of either."""
    return TablePreprocessing.from_json(body) if body["kind"] == "table" else Preprocessing.from_json(body)
