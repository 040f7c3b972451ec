"""Rows that a program holds: arrays, tensors, data frames and lists, as a table."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from regcore.data.files.entry import MediaColumn
from regcore.data.images.handed import holds_images, images_of
from regcore.data.tables.facts import TableWarning
from regcore.data.tables.find_types import find_facts
from regcore.data.tables.media_column import Media, with_media
from regcore.data.tables.names import final_names
from regcore.data.tables.table import Table
from regcore.errors import InvalidDataError, shortened

TARGET_NAME: Final = "y"
_PLAIN_KINDS: Final = "biuf"
_TEXT_KINDS: Final = "US"
_HOW: Final = "Give a 2-D array, a data frame, or a list of rows."
_NOT_FINITE: Final = "Replace it, or use NaN for a gap."


def table_of(x: Any, y: Any = None) -> Table:
    """The table of these rows.

    Args:
        x: (N, columns): a NumPy array, a tensor, a data frame of pandas or polars, an Arrow table, a list of rows or of
            dicts, or a dict of columns. A list or array of one dimension is one column. Or images: an array of three
            axes or four, or a list of Pillow's images or of paths.
        y: The targets, (N,): the same, or a Series; None if x holds them.

    Raises:
        InvalidDataError: They are no table of one value a cell, x and y differ in length, or a number is infinite.
    """
    if holds_images(x):
        return _media_table("image", images_of(x), y)
    columns, given_names, warnings = _read_columns(x)
    target = None
    if y is not None:
        name, cells = _target(y)
        _check_lengths(columns.num_rows, len(cells))
        if name in columns.column_names and columns[name].equals(cells):
            target = name  # x holds the target too: it must not be a feature of itself
        else:
            target = _free_name(name, columns.column_names)
            columns = columns.append_column(target, cells)
    facts = find_facts(columns, format="arrays", default_target=target, given_names=given_names, warnings=warnings)
    return Table(columns, facts)


def _media_table(media: Media, column: MediaColumn, y: Any) -> Table:
    """Images, texts or sounds, and their targets if there are any."""
    columns, target = pa.table({}), None
    if y is not None:
        name, cells = _target(y)
        _check_lengths(len(column.cells), len(cells))
        target = _free_name(name, [media])
        columns = pa.table({target: cells})
    return with_media(columns, find_facts(columns, format="arrays", default_target=target), media, column)


def _check_lengths(num_rows: int, num_targets: int) -> None:
    if num_rows != num_targets:
        raise InvalidDataError(
            f"x and y must have a row for each other; received {num_rows:,} rows of x and {num_targets:,} of y",
            remedy="Give both of the same examples, in the same order.",
        )


def columns_of(x: Any, *, may_be_empty: bool = False) -> pa.Table:
    """The rows as Arrow columns with final names; those of rows without names are `column_1`, `column_2`, ..."""
    return _read_columns(x, may_be_empty=may_be_empty)[0]


def _read_columns(x: Any, *, may_be_empty: bool = False) -> tuple[pa.Table, dict[str, str], list[TableWarning]]:
    """The columns, the given names of those that were renamed, and what to say about that."""
    named = _named_columns(x)
    if not named:
        raise InvalidDataError("the rows have no columns", remedy=_HOW)
    given = [str(name) for name, _ in named]
    names, renamed = final_names(given)
    columns = pa.table(
        [_one_value_a_cell(cells, name) for (_, cells), name in zip(named, names, strict=True)], names=names
    )
    if columns.num_rows == 0 and not may_be_empty:
        raise InvalidDataError("there are no rows", remedy="Give at least one row.")
    for name in names:
        _check_finite(columns[name], name)
    return columns, {new: old for new, old in zip(names, given, strict=True) if new != old}, renamed


def has_names(x: Any) -> bool:
    """Whether the rows name their columns."""
    is_frame = (_is_from("pandas", x) or _is_from("polars", x)) and not hasattr(x, "name")
    if is_frame or isinstance(x, Mapping | pa.Table | pa.RecordBatch):
        return True
    plain = _plain(x)
    if isinstance(plain, np.ndarray):
        return plain.dtype.names is not None
    return isinstance(plain, Sequence) and len(plain) > 0 and isinstance(plain[0], Mapping)


def _named_columns(x: Any) -> list[tuple[Any, Any]]:
    if isinstance(x, pa.Table | pa.RecordBatch):
        return list(zip(x.schema.names, x.columns, strict=True))
    if _is_from("pandas", x) and hasattr(x, "columns"):
        return [(name, _array_of(x.iloc[:, place], name)) for place, name in enumerate(x.columns)]
    if _is_from("polars", x) and not hasattr(x, "name"):
        found = (x.collect() if hasattr(x, "collect") else x).to_arrow()
        return list(zip(found.column_names, found.columns, strict=True))
    if _is_series(x) or (_is_from("pandas", x) and hasattr(x, "dtype")):
        name = getattr(x, "name", None)  # pandas' own arrays have none
        return [(name if name not in (None, "") else "column_1", _array_of(x, name))]
    if isinstance(x, Mapping):
        if all(not isinstance(cells, str) and isinstance(cells, Iterable) for cells in x.values()):
            lengths = {name: len(list(cells)) for name, cells in x.items()}
            if len(set(lengths.values())) > 1:
                raise InvalidDataError(f"the columns differ in length: {lengths}", remedy=_HOW)
            return [(name, _array_of(cells, name)) for name, cells in x.items()]
        raise InvalidDataError("expected a list of rows; received one dict", remedy="Give a list of rows: [row].")
    return _unnamed_columns(_plain(x))


def _unnamed_columns(x: Any) -> list[tuple[Any, Any]]:
    if isinstance(x, str | bytes) or not isinstance(x, np.ndarray | Sequence):
        raise InvalidDataError(f"rows cannot be read from a {type(x).__name__}", remedy=_HOW)
    if isinstance(x, np.ndarray):
        x = np.asarray(x) if isinstance(x, np.matrix) else x  # whose columns would have two dimensions
        if x.ndim > 2:
            raise InvalidDataError(
                f"expected rows of numbers, an array of 2 dimensions; received one of shape {x.shape}",
                remedy="Flatten each row, as by x.reshape(len(x), -1).",
            )
        if x.dtype.names is not None:
            return [(name, _array_of(x[name], name)) for name in x.dtype.names]
        return [(f"column_{k}", _array_of(part, f"column_{k}")) for k, part in enumerate(np.atleast_2d(x.T), start=1)]
    if len(x) and all(isinstance(row, Mapping) for row in x):
        names = list(dict.fromkeys(name for row in x for name in row))
        return [(name, _array_of([row.get(name) for row in x], name)) for name in names]
    rows = [_plain(row) for row in x]
    if len(rows) and all(isinstance(row, np.ndarray | Sequence) and not isinstance(row, str | bytes) for row in rows):
        lengths = {len(row) for row in rows}
        if len(lengths) > 1:
            first = next(place for place, row in enumerate(rows, start=1) if len(row) != len(rows[0]))
            raise InvalidDataError(
                f"rows must be of equal length; row 1 has {len(rows[0])} values and row {first} has "
                f"{len(rows[first - 1])}",
                remedy=_HOW,
                details={"row": first},
            )
        return [
            (f"column_{k}", _array_of(list(part), f"column_{k}")) for k, part in enumerate(zip(*rows, strict=True), 1)
        ]
    return [("column_1", _array_of(rows, "column_1"))]


def _target(y: Any) -> tuple[str, pa.ChunkedArray]:
    """The name and the cells of a target; infinite ones become gaps."""
    if isinstance(y, pa.Array | pa.ChunkedArray):
        named: list[tuple[Any, Any]] = [(TARGET_NAME, y)]
    else:
        named = _named_columns(y)
    if len(named) != 1:
        raise InvalidDataError(
            f"y must be one target for each row; received {len(named)} columns",
            remedy="Give an array of one dimension; labels as numbers or text, not one-hot.",
        )
    ((given, cells),) = named
    is_named = y.name is not None if _is_series(y) else has_names(y)
    name = str(given) if is_named and str(given).strip() else TARGET_NAME
    target = _one_value_a_cell(cells, name)
    if pa.types.is_floating(target.type):
        target = pc.if_else(pc.is_finite(target), target, None)
    return final_names([name])[0][0], target


def _free_name(name: str, taken: Sequence[str]) -> str:
    ordinal, free = 2, name
    while free in taken:
        free, ordinal = f"{name}_{ordinal}", ordinal + 1
    return free


def _plain(value: Any) -> Any:
    """Tensors as arrays; everything else as it is."""
    if _is_from("torch", value) and hasattr(value, "detach"):
        held = value.detach().cpu()
        return (held.double() if str(held.dtype) == "torch.bfloat16" else held).numpy()
    return value


def _is_from(module: str, value: Any) -> bool:
    """Whether the value's class is a library's, which is not imported for that."""
    return module in sys.modules and type(value).__module__.split(".")[0] == module


def _is_series(value: Any) -> bool:
    return (_is_from("pandas", value) or _is_from("polars", value)) and hasattr(value, "name")


def _array_of(cells: Any, name: Any) -> Any:
    """One column of any library's as an Arrow array."""
    plain = _plain(cells)
    if _is_from("polars", plain):
        return plain.to_arrow()
    try:
        if isinstance(plain, np.ndarray):
            return _from_numpy(plain)
        if _is_from("pandas", plain):
            return _from_cells(plain) if plain.dtype == object else pa.Array.from_pandas(plain)
        return _from_cells(plain)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InvalidDataError(
            f"the column {shortened(repr(name), 100)} does not hold values of one kind: {shortened(str(error), 200)}",
            remedy="Give numbers, text, truth values or dates, one kind a column, and None or NaN for a gap.",
        ) from error


def _from_numpy(cells: NDArray[Any]) -> Any:
    kind = cells.dtype.kind
    if kind in _PLAIN_KINDS:
        native = np.ascontiguousarray(cells.astype(cells.dtype.newbyteorder("="), copy=False))
        native = native.astype(np.float64) if native.dtype.itemsize > 8 or native.dtype == np.float16 else native
        mask = np.ma.getmaskarray(cells) if isinstance(cells, np.ma.MaskedArray) else None
        return pa.array(np.asarray(native), mask=mask, from_pandas=True)
    if kind in _TEXT_KINDS:
        return pa.array(cells.astype(str).tolist())
    if kind == "M":
        return pa.array(cells.astype("datetime64[us]"))
    if kind == "O":
        return _from_cells(cells)
    raise TypeError(f"values of type {cells.dtype} are not supported")


def _from_cells(cells: Iterable[Any]) -> Any:
    """Python's values as an Arrow array; whole numbers beyond 64 bits keep their digits, as text."""
    plain = [_cell(cell) for cell in cells]
    try:
        return pa.array(plain, from_pandas=True)
    except (pa.ArrowInvalid, OverflowError):
        if not all(isinstance(cell, int | None) for cell in plain):
            raise
        return pa.array([None if cell is None else str(cell) for cell in plain])


def _cell(cell: Any) -> Any:
    """NumPy's and torch's scalars as Python's."""
    return cell.item() if isinstance(cell, np.generic) or (_is_from("torch", cell) and cell.ndim == 0) else cell


def _one_value_a_cell(cells: Any, name: str) -> pa.ChunkedArray:
    chunked = cells if isinstance(cells, pa.ChunkedArray) else pa.chunked_array([cells])
    kind = chunked.type
    if pa.types.is_dictionary(kind):
        chunked = pc.cast(chunked, kind.value_type)
    if pa.types.is_null(chunked.type):
        return pc.cast(chunked, pa.string())
    if _holds_no_values(chunked.type):
        raise InvalidDataError(
            f"the column {name!r} holds {chunked.type} in its cells",
            remedy="Give numbers, text, truth values or dates: one value a cell.",
        )
    if pa.types.is_floating(chunked.type):
        chunked = pc.if_else(pc.is_nan(chunked), None, chunked)
    elif pa.types.is_large_string(chunked.type) or pa.types.is_string_view(chunked.type):
        chunked = pc.cast(chunked, pa.string())
    return chunked


def _holds_no_values(kind: pa.DataType) -> bool:
    """Whether cells of this type are no numbers, text, truth values or dates."""
    is_extended = isinstance(kind, pa.BaseExtensionType)  # such as periods of pandas
    return bool(is_extended or pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_duration(kind))


def _check_finite(cells: pa.ChunkedArray, name: str) -> None:
    if not pa.types.is_floating(cells.type):
        return
    row = pc.index(pc.is_inf(cells), pa.scalar(True)).as_py()
    if row >= 0:
        raise InvalidDataError(
            f"numbers must be finite; row {row + 1:,} of column {name!r} holds {cells[row].as_py()}",
            remedy=_NOT_FINITE,
            details={"row": row + 1, "column": name},
        )
