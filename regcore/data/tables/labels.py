"""Classes as predictions name them: in the type that the target was given in."""

from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from regcore.data.tables.words import BOOLEAN_WORDS

LabelType = Literal["string", "integer", "number", "boolean"]
_YES: Final = frozenset(yes for _, yes in BOOLEAN_WORDS)


def label_type_of(type: pa.DataType) -> LabelType:
    """The type of predicted labels, for a target column of this Arrow type: text stays as it was spelled."""
    if pa.types.is_boolean(type):
        return "boolean"
    if pa.types.is_integer(type):
        return "integer"
    return "number" if pa.types.is_floating(type) or pa.types.is_decimal(type) else "string"


def as_labels(classes: Sequence[str], type: LabelType) -> NDArray[Any]:
    """The classes as values of this type, (classes,)."""
    if type == "boolean":
        return np.array([label.lower() in _YES for label in classes])
    if type == "integer":
        return np.array([int(label) for label in classes], dtype=object if _is_large(classes) else np.int64)
    if type == "number":
        return np.array([float(label) for label in classes])
    return np.array(list(classes))


def _is_large(classes: Sequence[str]) -> bool:
    return any(not -(2**63) <= int(label) < 2**63 for label in classes)
