"""Whether one column alone tells the target: then it may have been made from it, and training learns nothing else."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Codes = NDArray[np.int64]

_FEWEST_ROWS: Final = 20
_LARGE_GAIN: Final = 0.98
"""Share of the rows beyond the largest class that a column must tell."""
_LARGE_AUROC: Final = 0.998
_LARGE_CORRELATION: Final = 0.998
_ROWS_OF_EACH: Final = 5
"""Rows for each value, on average, below which a category tells classes by chance."""


def telling_alone(column: pa.ChunkedArray, target: NDArray[Any], num_classes: int | None) -> str | None:
    """How a column gives the target away, as the rest of a sentence; None if it does not.

    Args:
        column: Numbers, booleans, dates or text; a gap is null.
        target: Class numbers, or numbers, (N,).
        num_classes: None for a regression.
    """
    if len(target) < _FEWEST_ROWS or target.min() == target.max():
        return None
    is_number = not (pa.types.is_boolean(column.type) or _is_text(column.type))
    values = _numbers(column) if is_number else None
    if num_classes is None:
        return None if values is None else _follows(values, np.asarray(target, np.float64))
    labels = target.astype(np.int64)
    if values is not None:
        said = _orders(values, labels, num_classes)
        if said is not None:
            return said
        gaps = np.isnan(values).astype(np.int64)
        return _empty_by_class(gaps, labels, num_classes)
    return _determines(codes_of(column)[0] + 1, labels, num_classes)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.int64(), safe=False)
    found: NDArray[np.float64] = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return found


def codes_of(column: pa.ChunkedArray) -> tuple[Codes, pa.Array]:
    """A number for each different value, in order of appearance, (N,), and these values; a gap is −1."""
    if isinstance(column.type, pa.DictionaryType):  # whose values may be in any order, or unused
        column = pc.cast(column, column.type.value_type)
    encoded = pc.dictionary_encode(column).combine_chunks()
    codes: Codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, encoded.dictionary


def _follows(values: NDArray[np.float64], target: NDArray[np.float64]) -> str | None:
    """Whether numbers follow a numeric target, in a line or in rank."""
    is_known = np.isfinite(values)
    values, target = values[is_known], target[is_known]
    if len(values) < _FEWEST_ROWS:
        return None
    for what, change in (("correlates", lambda x: x), ("ranks rows as the target does, correlating", _ranks)):
        r = _correlation(change(values), change(target))
        if abs(r) >= _LARGE_CORRELATION:
            return f"{what} with the target by {r:.4f}"
    return None


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        a, b = (side / max(float(np.abs(side).max()), 1e-300) for side in (a - a.mean(), b - b.mean()))
        size = float(np.linalg.norm(a) * np.linalg.norm(b))
        return float(a @ b) / size if size > 0 else 0.0


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: NDArray[np.float64] = (ends - (counts - 1) / 2)[inverse]
    return means


def _orders(values: NDArray[np.float64], labels: NDArray[np.int64], num_classes: int) -> str | None:
    """Whether the order of numbers tells classes apart."""
    is_known = np.isfinite(values)
    values, labels = values[is_known], labels[is_known]
    counts = np.bincount(labels, minlength=num_classes)
    present = np.flatnonzero(counts)
    if len(values) < _FEWEST_ROWS or len(present) < 2:
        return None
    if num_classes == 2:
        ranks = _ranks(values)
        positive = ranks[labels == 1].sum() - counts[1] * (counts[1] + 1) / 2
        auroc = positive / (counts[0] * counts[1])
        if max(auroc, 1 - auroc) >= _LARGE_AUROC:
            return f"alone tells the classes apart with an AUROC of {max(auroc, 1 - auroc):.4f}"
        return None
    # Each row goes to the class whose median is nearest.
    medians = np.array([np.median(values[labels == k]) for k in present])
    order = np.argsort(medians)
    cuts = (medians[order][1:] + medians[order][:-1]) / 2
    hits = (present[order][np.searchsorted(cuts, values)] == labels).sum()
    return _told(int(hits), int(counts.max()), len(labels))


def _determines(codes: NDArray[np.int64], labels: NDArray[np.int64], num_classes: int) -> str | None:
    """Whether nearly each value of a category goes with one class."""
    num_values = int(codes.max()) + 1
    if num_values * _ROWS_OF_EACH > len(codes):
        return None
    table = np.bincount(codes * num_classes + labels, minlength=num_values * num_classes)
    hits = int(table.reshape(num_values, num_classes).max(axis=1).sum())
    return _told(hits, int(np.bincount(labels).max()), len(labels))


def _empty_by_class(gaps: NDArray[np.int64], labels: NDArray[np.int64], num_classes: int) -> str | None:
    said = _determines(gaps, labels, num_classes) if gaps.any() else None
    return f"{said}, by whether it is empty" if said is not None else None


def _told(hits: int, largest: int, num_rows: int) -> str | None:
    gain = (hits - largest) / (num_rows - largest)
    return f"alone tells {100 * hits / num_rows:.2f} % of the classes" if gain >= _LARGE_GAIN else None
