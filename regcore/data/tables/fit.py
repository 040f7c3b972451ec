"""What is learned from the train rows of a table before the training: fills, means, scales and categories."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from regcore.data.encoded import Columns
from regcore.data.scaling import mean_and_scale
from regcore.data.tables.calendar import calendar_places
from regcore.data.tables.encode import (
    EncodedColumn,
    Missing,
    TablePreprocessing,
    blocks,
    floats,
    microseconds,
)
from regcore.data.tables.facts import Reading
from regcore.data.tables.features import Feature
from regcore.data.tables.target import sort_labels


def fit_columns(
    features: Sequence[Feature],
    train: Columns,
    *,
    missing: Missing,
    standardize: bool,
    given: Sequence[str],
    target: str | None = None,
) -> TablePreprocessing:
    """Fit on the train rows alone.

    Args:
        features: The columns and their places.
        train: The train rows of each, as `read_column` gives them.
        missing: What fills gaps.
        standardize: Whether numbers and dates are scaled to mean 0 and variance 1.
        given: All columns of the rows that were given, the target left out.
        target: The target's column; None if it has no name.
    """
    numbers = [feature for feature in features if feature.type == "number"]
    by_name: dict[str, EncodedColumn] = {}
    for block in blocks(numbers):
        by_name |= {column.name: column for column in _fit_numbers(block, train, missing, standardize)}
    for feature in features:
        if feature.type != "number":
            by_name[feature.name] = _FITTERS[feature.type](feature, train[feature.name], missing, standardize)
    return TablePreprocessing(tuple(by_name[feature.name] for feature in features), missing, tuple(given), target)


def _kept(reading: Reading) -> Reading:
    return Reading(
        num_missing=0,
        num_distinct=0,
        decimal=reading.decimal,
        thousands=reading.thousands,
        date_format=reading.date_format,
        has_time=reading.has_time,
    )


def _fill(values: NDArray[np.float64], missing: Missing) -> float:
    """What a gap is filled with; 0 where every train row is one."""
    known = values[~np.isnan(values)]
    if not len(known):
        return 0.0
    return float(np.median(known)) if missing == "median" else float(mean_and_scale(known, axes=(0,))[0])


def _fit_numbers(
    block: Sequence[Feature], train: Columns, missing: Missing, standardize: bool
) -> Iterator[EncodedColumn]:
    values = np.stack([floats(train[feature.name]) for feature in block], axis=1)
    fills = []
    has_gaps = [bool(np.isnan(values[:, position]).any()) for position in range(len(block))]
    for position in range(len(block)):
        column = values[:, position]
        fills.append(_fill(column, missing))
        column[np.isnan(column)] = fills[-1]
    means, stds = mean_and_scale(values, axes=(0,))
    for position, feature in enumerate(block):
        yield EncodedColumn(
            feature.name,
            "number",
            _kept(feature.reading),
            feature.num_places,
            marks_gaps=feature.has_gaps,
            had_gaps=has_gaps[position],
            fill=fills[position],
            mean=float(means[position]) if standardize else None,
            std=float(stds[position]) if standardize else None,
        )


def _fit_boolean(feature: Feature, train: Any, missing: Missing, standardize: bool) -> EncodedColumn:
    values = floats(train)
    return EncodedColumn(
        feature.name,
        "boolean",
        _kept(feature.reading),
        feature.num_places,
        marks_gaps=feature.has_gaps,
        had_gaps=bool(np.isnan(values).any()),
        fill=_fill(values, missing),
    )


def _fit_date(feature: Feature, train: Any, missing: Missing, standardize: bool) -> EncodedColumn:
    days = floats(train)
    is_gap: NDArray[np.bool_] = np.isnan(days)
    fill = _fill(days, missing)
    days = np.where(is_gap, fill, days)
    mean, std = mean_and_scale(days, axes=(0,))
    num_calendar = feature.num_places - 1 - feature.has_gaps
    known = calendar_places(microseconds(train)[np.flatnonzero(~is_gap)], has_time=feature.reading.has_time)
    calendar = known.mean(axis=0) if len(known) else np.zeros(num_calendar)
    return EncodedColumn(
        feature.name,
        "date",
        _kept(feature.reading),
        feature.num_places,
        marks_gaps=feature.has_gaps,
        had_gaps=bool(is_gap.any()),
        fill=fill,
        mean=float(mean) if standardize else None,
        std=float(std) if standardize else None,
        calendar_fill=tuple(calendar.tolist()),
    )


def _fit_category(feature: Feature, train: Any, missing: Missing, standardize: bool) -> EncodedColumn:
    counted = pc.value_counts(train.combine_chunks() if isinstance(train, pa.ChunkedArray) else train).to_pylist()
    counts = {entry["values"]: entry["counts"] for entry in counted if entry["values"] is not None}
    frequent = sorted(counts, key=lambda text: (-counts[text], text))[: feature.num_categories]
    return EncodedColumn(
        feature.name,
        "category",
        _kept(feature.reading),
        feature.num_places,
        marks_gaps=feature.has_gaps,
        had_gaps=train.null_count > 0,
        categories=tuple(sort_labels(frequent)),
        pools_rare=len(counts) > len(frequent),
    )


_FITTERS: Final = {"boolean": _fit_boolean, "date": _fit_date, "category": _fit_category}
