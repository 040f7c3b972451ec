"""NumPy's archives: `x` with a row or an image for each example, and `y` with their targets.

The archive is read in place, block by block: nothing is unpacked to disk, no name in it becomes a path, and nothing is
allocated before the sizes that the headers claim are found to be those that the file holds. Pickles are never read.
"""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy
from numpy.typing import NDArray

from regcore.data.images.arrays import read_array
from regcore.data.tables.facts import TableWarning
from regcore.data.tables.limits import Limits, check_size, check_unpacked
from regcore.data.tables.read.rows import ReadRows
from regcore.errors import InvalidDataError

_BLOCK_BYTES: Final = 16_000_000
_MAX_HEADER_BYTES: Final = 10_000
_MAX_ENTRIES: Final = 1_000
_NAMES: Final = "columns"
_AXES_OF_IMAGES: Final = (3, 4)
_HOW_TO_SAVE: Final = "Save it by numpy.savez(path, x=x, y=y), where x and y are arrays of numbers."
_NUMBERS: Final = "biuf"
_TEXTS: Final = "US"


@dataclass(frozen=True)
class _Entry:
    """One array of the archive, by its header."""

    name: str
    info: zipfile.ZipInfo
    shape: tuple[int, ...]
    by_columns: bool
    dtype: np.dtype[Any]
    header_bytes: int


def read_npz(path: Path, limits: Limits, on_progress: Callable[[float], None]) -> ReadRows:
    """Read the columns of `x`, or its images if it has three axes or four, and `y` if there is one.

    An entry `columns` names the columns of x; without it they are `column_1`, `column_2`, ...

    Raises:
        InvalidDataError: The archive is damaged, lies about its sizes, or holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, limits, on_progress)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error) as error:
        raise InvalidDataError(
            f"It begins as a ZIP archive, and cannot be unpacked: {str(error) or 'it ends too early'}.",
            remedy="It may have been cut off on its way: send it again, or save it again by numpy.savez.",
        ) from None


def _read(archive: zipfile.ZipFile, limits: Limits, on_progress: Callable[[float], None]) -> ReadRows:
    infos = _infos(archive)
    x = _open_entry(archive, infos["x"], limits)
    y = _open_entry(archive, infos["y"], limits) if "y" in infos else None
    num_rows, num_columns = _check_x(x)
    check_size(num_rows, num_columns + (y is not None), limits)
    if y is not None:
        _check_y(y, num_rows)
    has_images = len(x.shape) in _AXES_OF_IMAGES
    images = read_array(_whole(archive, x, on_progress)) if has_images else None
    names = [] if has_images else _names(archive, infos, num_columns, limits)
    columns = [] if has_images else _read_x(archive, x, num_rows, num_columns, on_progress)
    if y is not None:
        columns.append(pa.chunked_array([_arrow(block) for block in _blocks(archive, y, 1)]))
        names.append("y")
    return ReadRows(
        names=names,
        columns=columns,
        default_target="y" if y is not None else None,
        warnings=_said_of_others(sorted(infos.keys() - {"x", "y", _NAMES})),
        media=images,
    )


def _infos(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > _MAX_ENTRIES:
        raise InvalidDataError(
            f"It is a ZIP archive with {len(entries):,} entries, and an NPZ file may have {_MAX_ENTRIES:,}.",
            remedy=_HOW_TO_SAVE,
        )
    infos = {entry.filename.removesuffix(".npy"): entry for entry in entries if entry.filename.endswith(".npy")}
    if len(infos) < sum(entry.filename.endswith(".npy") for entry in entries):
        raise InvalidDataError("It is a ZIP archive with several arrays of one name.", remedy=_HOW_TO_SAVE)
    if "x" not in infos:
        held = ", ".join(repr(entry.filename[:80]) for entry in entries[:5]) or "nothing"
        raise InvalidDataError(
            f"It is a ZIP archive without an array x. It holds {held}{', ...' if len(entries) > 5 else ''}.",
            remedy=_remedy_for(entries),
        )
    return infos


def _remedy_for(entries: list[zipfile.ZipInfo]) -> str:
    names = [entry.filename.lower() for entry in entries]
    if any(name.startswith("xl/") for name in names):
        return "It is an Excel workbook: save the sheet as CSV."
    if any(name.endswith((".csv", ".tsv", ".parquet", ".jsonl")) for name in names):
        return "Unpack the archive, and send the file in it; a CSV or JSONL file may be packed by gzip."
    return _HOW_TO_SAVE


def _open_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: Limits) -> _Entry:
    """Check the header of an array and the sizes that it claims, before anything of that size is made."""
    name = info.filename.removesuffix(".npy")[:80]
    if info.flag_bits & 1:
        raise InvalidDataError(f"The array {name} is encrypted.", remedy="Save it without a password.")
    check_unpacked(f"The array {name}", info.compress_size, info.file_size, limits)
    with archive.open(info) as stream:
        shape, by_columns, dtype, header_bytes = _read_header(stream, name)
    _check_type(name, dtype)
    claimed_bytes = header_bytes + prod(shape) * dtype.itemsize
    if any(length < 0 for length in shape) or claimed_bytes != info.file_size:
        raise InvalidDataError(
            f"The array {name} is damaged: a shape of {shape} takes {claimed_bytes:,} bytes; there are "
            f"{info.file_size:,}.",
            remedy=_HOW_TO_SAVE,
        )
    return _Entry(name, info, shape, by_columns, dtype, header_bytes)


def _read_header(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    start = stream.read(npy.MAGIC_LEN + 4)
    if not start.startswith(npy.MAGIC_PREFIX) or len(start) < npy.MAGIC_LEN + 4:
        raise InvalidDataError(f"{name}.npy in it is not a NumPy array.", remedy=_HOW_TO_SAVE)
    version = (start[6], start[7])
    if version not in ((1, 0), (2, 0)):  # (3, 0) is for structured arrays alone
        raise InvalidDataError(
            f"The array {name} is structured, or of a format that is not known: version {version[0]}.{version[1]}.",
            remedy=_HOW_TO_SAVE,
        )
    length = struct.unpack("<H", start[8:10])[0] if version == (1, 0) else struct.unpack("<I", start[8:12])[0]
    if length > _MAX_HEADER_BYTES:
        raise InvalidDataError(
            f"The header of the array {name} has {length:,} bytes, and may have {_MAX_HEADER_BYTES:,}.",
            remedy=_HOW_TO_SAVE,
        )
    stream.seek(npy.MAGIC_LEN)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, by_columns, dtype = read(stream, max_header_size=_MAX_HEADER_BYTES)
    except (ValueError, TypeError, RecursionError, MemoryError, SyntaxError, TokenError):
        raise InvalidDataError(f"The header of the array {name} cannot be read.", remedy=_HOW_TO_SAVE) from None
    return shape, by_columns, dtype, stream.tell()


def _check_type(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.hasobject:
        raise InvalidDataError(
            f"The array {name} holds Python objects, which are never unpickled.",
            remedy=f"Make it an array of numbers or of text: {name}.astype(float), or {name}.astype(str).",
        )
    if dtype.kind not in _NUMBERS + _TEXTS or (dtype.itemsize > 8 and dtype.kind == "f") or dtype.itemsize == 0:
        raise InvalidDataError(
            f"The array {name} is of type {str(dtype)[:80]}, which is neither numbers, booleans nor text.",
            remedy=f"Make it numbers: {name}.astype(float).",
        )


def _check_x(x: _Entry) -> tuple[int, int]:
    if x.dtype.kind in _TEXTS and prod(x.shape[1:]) != 1:
        raise InvalidDataError(
            "The array x holds several columns of text.",
            remedy="Save one text for each row, or rows as CSV, Parquet or JSONL with named columns.",
        )
    if len(x.shape) not in (1, 2, *_AXES_OF_IMAGES):
        raise InvalidDataError(
            f"The array x has {len(x.shape)} axes, {x.shape}; a table has 2, rows and columns, and images have 3 or 4.",
            remedy="Make it two: x.reshape(len(x), -1).",
        )
    return x.shape[0], x.shape[1] if len(x.shape) == 2 else 1


def _check_y(y: _Entry, num_rows: int) -> None:
    if len(y.shape) != 1 and not (len(y.shape) == 2 and y.shape[1] == 1):
        raise InvalidDataError(
            f"The array y has the shape {y.shape}; one target for each row was expected.",
            remedy="Make it one axis: y.argmax(axis=1) of one-hot classes, else y[:, 0].",
        )
    if y.shape[0] != num_rows:
        raise InvalidDataError(
            f"x has {num_rows:,} rows, and y has {y.shape[0]:,}.",
            remedy="Save x and y of the same rows.",
            details={"num_rows_x": num_rows, "num_rows_y": y.shape[0]},
        )


def _names(archive: zipfile.ZipFile, infos: dict[str, zipfile.ZipInfo], num_columns: int, limits: Limits) -> list[str]:
    if _NAMES not in infos:
        return [f"column_{number}" for number in range(1, num_columns + 1)]
    entry = _open_entry(archive, infos[_NAMES], limits)
    if entry.dtype.kind not in _TEXTS or entry.shape != (num_columns,):
        raise InvalidDataError(
            f"The array {_NAMES} was expected to name the {num_columns:,} columns of x; it is of type "
            f"{str(entry.dtype)[:80]} and shape {entry.shape}.",
            remedy="Leave it out, or save one name for each column.",
        )
    return [name for block in _blocks(archive, entry, 1) for name in _arrow(block).to_pylist()]


def _read_x(
    archive: zipfile.ZipFile, x: _Entry, num_rows: int, num_columns: int, on_progress: Callable[[float], None]
) -> list[pa.ChunkedArray]:
    """The columns of x, numbers each in one piece; the archive's rows are turned into columns block by block."""
    if x.dtype.kind in _TEXTS:
        return [pa.chunked_array([_arrow(block) for block in _blocks(archive, x, 1)])]
    columns = np.empty((num_columns, num_rows), _plain(x.dtype))
    start = 0
    if x.by_columns:
        for block in _blocks(archive, x, 1):
            columns.reshape(-1)[start : start + len(block)] = block
            start += len(block)
            on_progress(start / columns.size)
    else:
        for block in _blocks(archive, x, num_columns):
            rows = block.reshape(-1, num_columns)
            columns[:, start : start + len(rows)] = rows.T
            start += len(rows)
            on_progress(start / num_rows)
    return [pa.chunked_array([pa.array(column)]) for column in columns]


def _whole(archive: zipfile.ZipFile, x: _Entry, on_progress: Callable[[float], None]) -> NDArray[Any]:
    """An array of images, in its own shape."""
    numbers = np.empty(prod(x.shape), _plain(x.dtype))
    start = 0
    for block in _blocks(archive, x, 1):
        numbers[start : start + len(block)] = block
        start += len(block)
        on_progress(start / len(numbers))
    return numbers.reshape(x.shape, order="F" if x.by_columns else "C")


def _blocks(archive: zipfile.ZipFile, entry: _Entry, num_together: int) -> Iterator[NDArray[Any]]:
    """The numbers in the file's order, in blocks of a whole multiple of `num_together` of them."""
    unit_bytes = num_together * entry.dtype.itemsize
    block_bytes = max(1, _BLOCK_BYTES // unit_bytes) * unit_bytes
    num_left_bytes = prod(entry.shape) * entry.dtype.itemsize
    with archive.open(entry.info) as stream:
        stream.seek(entry.header_bytes)
        while num_left_bytes:
            content = stream.read(min(block_bytes, num_left_bytes))
            if len(content) != min(block_bytes, num_left_bytes):
                raise EOFError(f"the array {entry.name} ends too early")
            num_left_bytes -= len(content)
            yield np.frombuffer(content, entry.dtype)


def _plain(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type in this machine's byte order; half precision as single, in which every value is the same."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype.newbyteorder("=")


def _arrow(block: NDArray[Any]) -> pa.Array:
    if block.dtype.kind == "S":
        try:
            return pa.array(np.char.decode(block, "utf-8"), pa.string())
        except UnicodeDecodeError:
            raise InvalidDataError(
                "An array holds bytes that are not UTF-8 text.", remedy="Save it as text: y.astype(str)."
            ) from None
    if block.dtype.kind == "U":
        return pa.array(block.astype(_plain(block.dtype)), pa.string())
    return pa.array(block.astype(_plain(block.dtype)))


def _said_of_others(names: list[str]) -> list[TableWarning]:
    if not names:
        return []
    held = ", ".join(name[:80] for name in names[:5]) + (", ..." if len(names) > 5 else "")
    return [
        TableWarning(
            code="arrays_ignored",
            message=f"Only x, y and {_NAMES} are read; also held: {held}.",
            remedy="Splits of your own are a column of the table: name it in data.split_column.",
        )
    ]
