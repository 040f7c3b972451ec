"""Rows that were handed to `train`, with validation and test rows of their own where there are any."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from regcore.data.files.entry import MediaColumn
from regcore.data.images.arrays import joined_images
from regcore.data.sounds.handed import DEFAULT_RATE, are_paths_of_sounds, joined_sounds, table_of_sounds
from regcore.data.tables.find_types import find_facts
from regcore.data.tables.media_column import Media, with_media
from regcore.data.tables.read.arrays import has_names, table_of
from regcore.data.tables.split import DRAWN
from regcore.data.tables.table import Table
from regcore.errors import InvalidDataError

Pair = tuple[Any, Any] | Any
"""x and y, or rows that hold their target."""


@dataclass(frozen=True, eq=False)
class HandedRows:
    """All rows as one table.

    Attributes:
        table: First those that are split, then validation and test rows.
        roles: The split of each row, or `DRAWN`; None if all are drawn.
        numbers: The place of each row in what it was handed in with, from 0.
    """

    table: Table
    roles: NDArray[np.object_] | None = None
    numbers: NDArray[np.int64] | None = None


def handed_rows(
    x: Any, y: Any = None, *, validation: Pair | None = None, test: Pair | None = None, features: Any = None
) -> HandedRows:
    """The rows of `train(spec, x, y, validation=(x, y), test=(x, y))`.

    Args:
        x: Rows that are split.
        y: Their targets.
        validation: Validation rows.
        test: Test rows.
        features: The spec's `data.features`, as a model or as JSON that was not checked: what rows are read as.

    Raises:
        InvalidDataError: They are no tables, or do not have the same columns.
    """
    read = _reader(x, features)
    drawn = read(x, y)
    if validation is None and test is None:
        return HandedRows(drawn)
    parts = {DRAWN: drawn}
    for name, pair in (("validation", validation), ("test", test)):
        if pair is not None:
            its_x, its_y = _pair(pair, name, has_y=y is not None)
            part = read(its_x, its_y)
            if not has_names(its_x):
                _check_width(drawn, part, name)
            parts[name] = _like(drawn, part, name)
    lengths = [part.columns.num_rows for part in parts.values()]
    roles = np.repeat(np.array(list(parts), dtype=object), lengths)
    return HandedRows(_joined(parts), roles, np.concatenate([np.arange(length) for length in lengths]))


def _joined(parts: Mapping[str, Table]) -> Table:
    """The rows of all parts as one table."""
    drawn = parts[DRAWN]
    # A column of text is one of the table's own, and is looked at anew.
    media = next((one for one in _JOINED if one == drawn.facts.modality), None)
    others = [part.columns.drop_columns([] if media is None else [media]) for part in parts.values()]
    try:
        columns = pa.concat_tables(others, promote_options="permissive")
    except pa.ArrowException as error:
        raise InvalidDataError(
            f"validation and test rows must have columns of the same kinds as x: {error}",
            remedy="Give numbers where x has numbers, and text where it has text.",
        ) from error
    facts = find_facts(columns, format="arrays", default_target=drawn.facts.default_target)
    if media is None:
        return Table(columns, facts)
    beside = [
        one if one.name == facts.default_target else one.model_copy(update={"type": "ignore", "why": ""})
        for one in facts.columns
    ]
    return with_media(columns, facts.model_copy(update={"columns": beside}), media, _JOINED[media](parts))


_JOINED: Final[dict[Media, Callable[[Mapping[str, Table]], MediaColumn]]] = {
    "image": joined_images,
    "audio": joined_sounds,
}


def _reader(x: Any, features: Any) -> Callable[[Any, Any], Table]:
    """What makes a table of rows and targets: as the spec's features say, else as the rows are."""
    said = features.model_dump() if hasattr(features, "model_dump") else features
    kind = said.get("kind") if isinstance(said, dict) else None
    if kind == "audio" or (kind is None and are_paths_of_sounds(x)):
        rate = said.get("sample_rate") if isinstance(said, dict) else None
        return partial(table_of_sounds, sample_rate=rate if isinstance(rate, int) and rate > 0 else DEFAULT_RATE)
    return table_of


def _pair(pair: Pair, name: str, *, has_y: bool) -> tuple[Any, Any]:
    if not has_y:
        return pair, None
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise InvalidDataError(f"{name} must be (x, y); received {type(pair).__name__}", remedy=f"Give {name}=(x, y).")
    return pair[0], pair[1]


def _check_width(drawn: Table, part: Table, name: str) -> None:
    """Columns without names are told by their places alone, so there must be as many."""
    expected, found = drawn.columns.num_columns, part.columns.num_columns
    if found != expected:
        has_target = drawn.facts.default_target is not None
        raise InvalidDataError(
            f"the {name} rows have {found - has_target} column(s) and x has {expected - has_target}",
            remedy="Give them the same columns as x.",
        )


def _like(drawn: Table, part: Table, name: str) -> Table:
    """The part with the columns of the rows that are split, in their order and with their target's name."""
    if drawn.facts.modality != part.facts.modality:
        raise InvalidDataError(
            f"the {name} rows are of modality {part.facts.modality}, and x is of modality {drawn.facts.modality}",
            remedy="Give rows of the same kind as x.",
        )
    columns, target = part.columns, drawn.facts.default_target
    if target is not None and part.facts.default_target is not None:
        renamed = {part.facts.default_target: target}
        columns = columns.rename_columns([renamed.get(column, column) for column in columns.column_names])
    wanted = drawn.columns.column_names
    missing = [column for column in wanted if column not in columns.column_names]
    if missing:
        raise InvalidDataError(
            f"the {name} rows lack {', '.join(map(repr, missing[:10]))}; they have {len(columns.column_names)} columns "
            f"and x has {len(wanted)}",
            remedy="Give them the same columns as x.",
            details={"missing": missing[:10]},
        )
    return replace(part, columns=columns.select(wanted))
