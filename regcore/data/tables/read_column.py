"""Cells to values of one type: the same for the rows that a network learns from and for those that it predicts."""

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from regcore.data.tables.dates import parse_dates
from regcore.data.tables.facts import ColumnType, Reading
from regcore.data.tables.numbers import Convention, parse_numbers
from regcore.data.tables.words import BOOLEAN_WORDS, GAP_WORDS

_GAPS: Final = pa.array(sorted(GAP_WORDS))
_NO: Final = pa.array([no for no, _ in BOOLEAN_WORDS])
_YES: Final = pa.array([yes for _, yes in BOOLEAN_WORDS])


def read_column(cells: Any, type: ColumnType, reading: Reading) -> Any:
    """The cells as values, null for a gap and for what cannot be read.

    Args:
        cells: Array or chunked array, of text or of any other type of one value a cell.
        type: What to read.
        reading: How, as found in the whole column.

    Returns:
        A chunked array: float64 of `number`, bool of `boolean`, timestamp[us] in UTC of `date`; of all others the
        spellings.
    """
    cells = pa.chunked_array([cells]) if isinstance(cells, pa.Array) else cells
    if type == "number" and is_numeric(cells.type):
        return _finite(_as_floats(cells))
    if type == "number" and pa.types.is_boolean(cells.type):  # a column of 0 and 1, as the caller's program holds it
        return pc.cast(cells, pa.float64())
    if type == "boolean" and pa.types.is_boolean(cells.type):
        return cells
    if type == "boolean" and is_numeric(cells.type):  # 0 and 1, perhaps as floats beside a gap
        return _truths(_as_floats(cells))
    if type == "date" and is_moment(cells.type):
        return as_timestamps(cells)
    texts = spelled(cells)
    read = {"number": _numbers, "boolean": _booleans, "date": _dates}.get(type, _spellings)
    return pa.chunked_array([read(chunk, reading) for chunk in texts.chunks], type=_TYPES.get(type, pa.string()))


_TYPES: Final = {"number": pa.float64(), "boolean": pa.bool_(), "date": pa.timestamp("us")}


def gaps(cells: Any, type: ColumnType) -> Any:
    """Which cells have no value if they are read so: words such as `NA` too, but in categories and texts.

    Args:
        cells: Array or chunked array.
        type: As what they are read.
    """
    if not is_text(cells.type):
        return pc.is_null(cells, nan_is_null=True)
    return text_gaps(spelled(cells), type)


def text_gaps(texts: Any, type: ColumnType) -> Any:
    """The same of texts without spaces at the ends."""
    if type in ("category", "text", "ignore"):
        return pc.or_(pc.is_null(texts), pc.fill_null(pc.equal(texts, ""), True))
    return pc.or_(pc.is_null(texts), pc.is_in(pc.ascii_lower(texts), value_set=_GAPS))


def spelled(cells: Any) -> Any:
    """The cells as text without spaces at the ends; null stays null.

    Floats are written as short as they can be (`1`, `0.5`), points in time in ISO 8601, spans of time in seconds.
    """
    if pa.types.is_dictionary(cells.type):
        cells = pc.cast(cells, cells.type.value_type)
    if is_text(cells.type):
        return pc.utf8_trim_whitespace(pc.cast(cells, pa.string()))
    if _is_time_span(cells.type):
        cells = _as_floats(cells)
    if pa.types.is_floating(cells.type):
        cells = pc.if_else(pc.is_nan(cells), None, cells)
    elif pa.types.is_timestamp(cells.type):
        return pc.replace_substring_regex(pc.cast(as_timestamps(cells), pa.string()), r"(?: 00:00:00)?\.0+$", "")
    return pc.cast(cells, pa.string())


def is_text(type: Any) -> bool:
    """Whether cells of this Arrow type are text."""
    if pa.types.is_dictionary(type):
        type = type.value_type
    return bool(pa.types.is_string(type) or pa.types.is_large_string(type) or pa.types.is_string_view(type))


def is_numeric(type: Any) -> bool:
    """Whether cells of this Arrow type are numbers, or times of day or durations, which are read in seconds."""
    return bool(
        pa.types.is_integer(type) or pa.types.is_floating(type) or pa.types.is_decimal(type) or _is_time_span(type)
    )


def is_moment(type: Any) -> bool:
    """Whether cells of this Arrow type are days or points in time."""
    return bool(pa.types.is_timestamp(type) or pa.types.is_date(type))


def as_timestamps(cells: Any) -> Any:
    """Dates and points in time as timestamp[us] in UTC."""
    if pa.types.is_timestamp(cells.type):
        cells = pc.cast(cells, pa.timestamp("us", cells.type.tz), safe=False)
    return pc.cast(cells, pa.timestamp("us"))


def _numbers(texts: Any, reading: Reading) -> Any:
    valued = pc.if_else(text_gaps(texts, "number"), None, texts)
    return parse_numbers(valued, Convention(reading.decimal, reading.thousands))


def _truths(numbers: Any) -> Any:
    is_one = pc.equal(numbers, 1.0)
    return pc.if_else(pc.or_(is_one, pc.equal(numbers, 0.0)), is_one, None)


def _booleans(texts: Any, reading: Reading) -> Any:
    # Programs write 0 and 1 as `0.0` and `1.0` once the column has a gap.
    words = pc.replace_substring_regex(pc.utf8_lower(texts), pattern=r"^([01])\.0$", replacement=r"\1")
    yes, no = pc.is_in(words, value_set=_YES), pc.is_in(words, value_set=_NO)
    return pc.if_else(pc.or_(yes, no), yes, None)


def _dates(texts: Any, reading: Reading) -> Any:
    encoded = pc.dictionary_encode(texts)
    return parse_dates(encoded.dictionary, reading.date_format).take(encoded.indices)


def _spellings(texts: Any, reading: Reading) -> Any:
    return pc.if_else(text_gaps(texts, "category"), None, texts)


def _is_time_span(type: Any) -> bool:
    return bool(pa.types.is_time(type) or pa.types.is_duration(type))


def _as_floats(cells: Any) -> Any:
    if pa.types.is_decimal(cells.type):
        # Arrow's own cast is wrong in the last bit of every third number.
        return pc.cast(pc.cast(cells, pa.string()), pa.float64())
    if _is_time_span(cells.type):
        whole = pc.cast(cells, pa.int32() if pa.types.is_time32(cells.type) else pa.int64())
        return pc.divide(pc.cast(whole, pa.float64(), safe=False), _UNITS_A_SECOND[cells.type.unit])
    return pc.cast(cells, pa.float64(), safe=False)


_UNITS_A_SECOND: Final = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def _finite(numbers: Any) -> Any:
    return pc.if_else(pc.is_finite(numbers), numbers, None)
