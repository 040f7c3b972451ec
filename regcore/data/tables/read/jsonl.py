"""Rows as JSON: one object a line, or one array of objects.

Values are kept as they are spelled until a whole column is read. One of numbers alone, or of true and false alone, is
then converted if none loses a digit by it; every other one stays text. A name that a row lacks is a gap there.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from regcore.data.tables.limits import Limits, check_size
from regcore.data.tables.read.json_array import ValueTooLongError, values_of_array
from regcore.data.tables.read.rows import ReadRows
from regcore.errors import InvalidDataError, shortened

_ROWS_TOGETHER: Final = 10_000
_BYTES_TOGETHER: Final = 16_000_000
_NEAR_CHARACTERS: Final = 20
_MAX_NAME_CHARACTERS: Final = 80
_LINES_REMEDY: Final = (
    'Write one object a line, such as {"age": 31, "churn": "no"}; pandas does by to_json(orient="records", lines=True).'
)


@dataclass(frozen=True, slots=True)
class _Row:
    """One object, and where it stands."""

    number: int
    line: int | None
    values: dict[str, Any]

    @property
    def place(self) -> str:
        return f"Row {self.number:,}" if self.line is None else f"Line {self.line:,}"

    @property
    def details(self) -> dict[str, Any]:
        return {"row": self.number} | ({} if self.line is None else {"line": self.line})


class _Number(str):
    """A number as it is spelled."""

    __slots__ = ()


class _DoubledNameError(ValueError):
    """An object repeats a name."""


def read_jsonl(path: Path, limits: Limits, on_progress: Callable[[float], None]) -> ReadRows:
    """Read the rows.

    Raises:
        InvalidDataError: A row is no object, repeats a name, or holds a list or an object.
    """
    columns = _Columns(limits)
    size_bytes = max(1, path.stat().st_size)
    is_array = _first_character(path) == b"["
    rows = _rows_of_array(path, limits) if is_array else _rows_of_lines(path, limits)
    batch: list[_Row] = []
    num_batch_bytes = 0
    for row, end_bytes, row_bytes in rows:
        batch.append(row)
        num_batch_bytes += row_bytes
        if len(batch) == _ROWS_TOGETHER or num_batch_bytes > _BYTES_TOGETHER:
            columns.add(batch)
            on_progress(min(1.0, end_bytes / size_bytes))
            batch, num_batch_bytes = [], 0
    columns.add(batch)
    check_size(columns.num_rows, len(columns.chunks) or (columns.num_rows == 0), limits)
    return ReadRows(names=list(columns.chunks), columns=[columns.typed(name) for name in columns.chunks])


class _Columns:
    """The columns read so far. One that a later row brings begins with gaps."""

    def __init__(self, limits: Limits) -> None:
        self.chunks: dict[str, list[pa.Array]] = {}
        self.num_rows = 0
        self._kinds: dict[str, set[type]] = {}
        self._limits = limits

    def add(self, rows: list[_Row]) -> None:
        """Append rows.

        Raises:
            InvalidDataError: A value is no plain one, or there are too many columns or rows.
        """
        if not rows:
            return
        names = dict.fromkeys(self.chunks)
        for row in rows:
            names |= dict.fromkeys(row.values)
        check_size(self.num_rows + len(rows), len(names) or 1, self._limits)
        for name in names:
            chunks = self.chunks.setdefault(name, [pa.nulls(self.num_rows, pa.string())])
            values = [row.values.get(name) for row in rows]
            self._kinds.setdefault(name, set()).update(map(type, values))
            chunks.append(_texts(name, rows, values))
        self.num_rows += len(rows)

    def typed(self, name: str) -> pa.ChunkedArray:
        """A column as numbers or booleans if all of its values are such and stay what they are; else as text."""
        texts = pa.chunked_array(self.chunks[name], pa.string())
        kinds = self._kinds[name] - {type(None)}
        if kinds == {bool}:
            return texts.cast(pa.bool_())
        return _numbers(texts) if kinds == {_Number} else texts


def _numbers(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return texts.cast(pa.int64())
    except pa.ArrowInvalid:
        pass  # some are fractions, or beyond 64 bits
    if pc.any(pc.match_substring_regex(texts, r"^-?\d{16,}$")).as_py():
        return texts
    numbers = texts.cast(pa.float64())
    return texts if pc.any(pc.is_inf(numbers)).as_py() else numbers


def _texts(name: str, rows: list[_Row], values: list[Any]) -> pa.Array:
    if not {type(value) for value in values} <= {str, _Number, type(None)}:
        values = [_text(name, row) for row in rows]
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        row = next(row for row, value in zip(rows, values, strict=True) if value is not None and not _is_text(value))
        raise InvalidDataError(
            f"{row.place}: {_quoted(name)} holds half of a surrogate pair, which is not a character.",
            remedy="Remove it, or write the whole pair.",
            details=row.details | {"column": name},
        ) from None


def _text(name: str, row: _Row) -> str | None:
    value = row.values.get(name)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    raise InvalidDataError(
        f"{row.place}: {_quoted(name)} holds {'an object' if isinstance(value, dict) else 'a list'}; "
        "a cell is a number, a text, true, false or null.",
        remedy=f"Give each of its values a column of its own. {_LINES_REMEDY}",
        details=row.details | {"column": name},
    )


def _is_text(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _quoted(name: str) -> str:
    return repr(shortened(name, _MAX_NAME_CHARACTERS))


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    counts = Counter(name for name, _ in pairs)
    raise _DoubledNameError(next(name for name, count in counts.items() if count > 1))


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=_members, parse_int=_Number, parse_float=_Number, parse_constant=_Number)


def _first_character(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(1_000).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]


def _rows_of_lines(path: Path, limits: Limits) -> Iterator[tuple[_Row, int, int]]:
    """Each row, with the bytes up to its end, and its own."""
    decode = _decoder().decode
    number = line_number = end_bytes = 0
    with path.open("rb") as stream:
        while line := stream.readline(limits.max_row_bytes + 1):
            line_number += 1
            end_bytes += len(line)
            if line_number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if not line.strip():
                continue
            number += 1
            place, details = f"Line {line_number:,}", {"line": line_number, "row": number}
            if len(line) > limits.max_row_bytes:
                raise _too_long(place, details, limits)
            try:
                values = decode(line.decode())
            except (ValueError, RecursionError) as error:
                raise _not_json(error, place, details) from None
            if not isinstance(values, dict):
                raise _no_object(place, details)
            yield _Row(number, line_number, values), end_bytes, len(line)


def _rows_of_array(path: Path, limits: Limits) -> Iterator[tuple[_Row, int, int]]:
    number = end = 0
    with path.open(encoding="utf-8-sig") as stream:
        values = values_of_array(stream.read, _decoder().raw_decode, limits.max_row_bytes)
        while True:
            place, details = f"Row {number + 1:,}", {"row": number + 1}
            try:
                value, length = next(values)
            except StopIteration:
                return
            except ValueTooLongError:
                raise _too_long(place, details, limits) from None
            except (ValueError, RecursionError) as error:
                raise _not_json(error, place, details) from None
            if not isinstance(value, dict):
                raise _no_object(place, details)
            number, end = number + 1, end + length
            yield _Row(number, None, value), end, length


def _too_long(place: str, details: dict[str, Any], limits: Limits) -> InvalidDataError:
    return InvalidDataError(
        f"{place} has more than {limits.max_row_bytes:,} bytes.",
        remedy=_LINES_REMEDY,
        details=details | {"max_row_bytes": limits.max_row_bytes},
    )


def _no_object(place: str, details: dict[str, Any]) -> InvalidDataError:
    return InvalidDataError(f"{place} is JSON but not an object.", remedy=_LINES_REMEDY, details=details)


def _not_json(error: ValueError | RecursionError, place: str, details: dict[str, Any]) -> InvalidDataError:
    remedy = _LINES_REMEDY
    match error:
        case _DoubledNameError():
            said, remedy = f"repeats the name {_quoted(str(error))}", "Keep one of the two."
        case json.JSONDecodeError():
            near = error.doc[error.pos : error.pos + _NEAR_CHARACTERS]
            said = f"is not JSON: {error.msg}, {f'before {near!r}' if near else 'where it ends'}"
        case UnicodeDecodeError():
            said, remedy = f"is not UTF-8: byte 0x{error.object[error.start]:02x}", "Save the file as UTF-8."
        case RecursionError():
            said = "is nested too deeply"
        case _:
            said = f"is not JSON: {error}"
    return InvalidDataError(f"{place} {said}.", remedy=remedy, details=details)
