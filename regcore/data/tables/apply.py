"""Raw rows to the rows of a trained network, with notes about what they hold that training did not see."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from regcore.data.encoded import Encoded
from regcore.data.tables.encode import EncodedColumn, TablePreprocessing
from regcore.data.tables.features import near_names
from regcore.data.tables.read import read_file
from regcore.data.tables.read.arrays import columns_of, has_names
from regcore.data.tables.read_column import gaps, read_column
from regcore.data.tables.table import Table
from regcore.errors import InvalidDataError, shortened

_MAX_NAMES: Final = 10


def apply_to_table(preprocessing: TablePreprocessing, raw_rows: Any, dtype: Any) -> Encoded:
    """The rows of the network, (N, places), and notes.

    Args:
        preprocessing: What was fitted on the train rows.
        raw_rows: A file's path, a `Table`, or what `train` takes as x: columns in any order, and more of them than are
            needed. Rows without names have the columns in the order of training.
        dtype: float32 or float64.

    Raises:
        InvalidDataError: A column is missing, rows are no table, or gaps are refused.
    """
    cells, notes = _named_cells(preprocessing, raw_rows)
    columns = {}
    for column in preprocessing.encoded:
        given = cells[column.name]
        read = read_column(given, column.type, column.reading)
        columns[column.name] = read
        _note_unreadable(column, given, read, notes)

    fill = preprocessing.missing

    def on_gap(column: EncodedColumn, is_gap: NDArray[np.bool_]) -> None:
        if preprocessing.missing == "error":
            row = int(np.flatnonzero(is_gap)[0]) + 1
            raise InvalidDataError(
                f"Rows must be finite numbers or have values in each column; {column.name!r} has a gap in row {row:,}",
                remedy="Fill it in, or train with features.missing mean or median.",
                details={"row": row, "column": column.name},
            )
        if not column.had_gaps:
            instead = "taken for a rare category" if column.type == "category" else f"filled as training's {fill} says"
            notes.append(f"{column.name!r} had no gap in training; {_rows(is_gap)} {instead}.")

    def on_unseen(column: EncodedColumn, is_unseen: NDArray[np.bool_]) -> None:
        first = pc.cast(columns[column.name].take(pa.array(np.flatnonzero(is_unseen)[:1])), pa.string())[0].as_py()
        kind = "rare or never seen" if column.pools_rare else "never seen"
        notes.append(
            f"{column.name!r} holds categories {kind} in training, as {shortened(first, 60)!r}: {_rows(is_unseen)} "
            "taken together with the rare ones."
        )

    rows = preprocessing.encode(columns, dtype, on_gap=on_gap, on_unseen=on_unseen).x
    _refuse_infinite(preprocessing, cells, rows)
    return Encoded(rows, notes=notes)


def _named_cells(preprocessing: TablePreprocessing, raw_rows: Any) -> tuple[pa.Table, list[str]]:
    if isinstance(raw_rows, str | Path):
        raw_rows = _read_rows(preprocessing, Path(raw_rows))
    if isinstance(raw_rows, Table):
        given, named = raw_rows.columns, True
    else:
        given, named = columns_of(raw_rows, may_be_empty=True), has_names(raw_rows)
    wanted = preprocessing.columns
    if not named:
        return given.rename_columns(_names_by_place(preprocessing, given.num_columns)), []
    missing = [name for name in wanted if name not in given.column_names]
    known = {*preprocessing.given, *wanted, preprocessing.target}
    unknown = [name for name in given.column_names if name not in known]
    if missing:
        raise InvalidDataError(
            f"Rows lack columns; missing: {_listed(missing)}; unknown: {_listed(unknown) or 'none'}; "
            f"needed: {_listed(wanted)}",
            remedy=f"Name each column as in training; the order does not matter.{_meant(missing, unknown)}",
            details={"missing": missing[:_MAX_NAMES], "unknown": unknown[:_MAX_NAMES]},
        )
    return given, [f"columns that training did not have are ignored: {_listed(unknown)}."] if unknown else []


def _meant(missing: Sequence[str], unknown: Sequence[str]) -> str:
    """Which of the unknown names may be missing ones."""
    pairs = [(name, near_names(name, unknown)) for name in missing[:_MAX_NAMES]]
    said = ", ".join(f"{near[0]!r} is {name!r}" for name, near in pairs if near)
    return f" Perhaps {said}." if said else ""


def _read_rows(preprocessing: TablePreprocessing, path: Path) -> Table:
    """A file's rows. One that has no header is told by its places, if training knew its columns by theirs."""
    if not all(re.fullmatch(r"column_[0-9]+", name) for name in preprocessing.columns):
        return read_file(path)
    with suppress(InvalidDataError):
        table = read_file(path)
        is_doubtful = any(warning.code == "doubtful_header" for warning in table.facts.warnings)
        if not is_doubtful or set(preprocessing.columns) <= set(table.columns.column_names):
            return table
    table = read_file(path, header="no")
    if table.columns.num_columns > len(preprocessing.given):  # the target is among them
        return table
    return replace(
        table, columns=table.columns.rename_columns(_names_by_place(preprocessing, table.columns.num_columns))
    )


def _names_by_place(preprocessing: TablePreprocessing, num_columns: int) -> Sequence[str]:
    for names in (preprocessing.columns, preprocessing.given):
        if len(names) == num_columns:
            return names
    raise InvalidDataError(
        f"Expected rows of shape (N, {len(preprocessing.columns)}); received an array of {num_columns} columns",
        remedy=f"Give a column for each of {_listed(preprocessing.columns)}, in this order, or rows with names.",
    )


def _refuse_infinite(preprocessing: TablePreprocessing, cells: pa.Table, rows: NDArray[Any]) -> None:
    """Numbers so large that the network's precision has none for them would make its answer NaN."""
    is_finite = np.isfinite(rows)
    if is_finite.all():
        return
    row, place = np.argwhere(~is_finite)[0].tolist()
    name = next(name for name, start in reversed(preprocessing.starts.items()) if start <= place)
    held = shortened(str(cells[name][row].as_py()), 60)
    raise InvalidDataError(
        f"numbers must fit into {rows.dtype} once they are scaled; row {row + 1:,} of column {name!r} holds {held}",
        remedy="Correct it, or leave it empty for a gap.",
        details={"row": row + 1, "column": name},
    )


def _note_unreadable(column: EncodedColumn, given: Any, read: Any, notes: list[str]) -> None:
    if column.type == "category":
        return
    is_unreadable = pc.and_(pc.is_null(read), pc.invert(gaps(given, column.type)))
    rows = np.asarray(is_unreadable.to_numpy(), bool)
    if rows.any():
        text = str(given[int(np.flatnonzero(rows)[0])].as_py())
        notes.append(f"{column.name!r} is not a {column.type} in {_rows(rows, verb='')}, as {shortened(text, 60)!r}.")


def _rows(chosen: NDArray[np.bool_], verb: str = " is| are") -> str:
    """`row 3 is`, or `4 rows (from row 3 on) are`."""
    places = np.flatnonzero(chosen)
    one, *several = verb.split("|")
    if len(places) == 1:
        return f"row {places[0] + 1:,}{one}"
    return f"{len(places):,} rows (from row {places[0] + 1:,} on){several[0] if several else one}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_MAX_NAMES]) + (f", ... ({len(names)} in all)" if len(names) > _MAX_NAMES else "")
