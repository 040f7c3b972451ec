"""Dates as people write them: ISO 8601, or day, month and year in another order."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAME: Final = (
    r"(?:[Jj]an(?:uary)?|[Ff]eb(?:ruary)?|[Mm]ar(?:ch)?|[Aa]pr(?:il)?|[Mm]ay|[Jj]une?|[Jj]uly?|[Aa]ug(?:ust)?"
    r"|[Ss]ept?(?:ember)?|[Oo]ct(?:ober)?|[Nn]ov(?:ember)?|[Dd]ec(?:ember)?|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT"
    r"|NOV|DEC)"
)
_DIRECTIVES: Final[Mapping[str, str]] = {
    "%Y": r"(?P<year>\d{4})",
    "%y": r"(?P<year>\d{2})",
    "%m": r"(?P<month>\d{1,2})",
    "%b": rf"(?P<month>{_MONTH_NAME})",
    "%d": r"(?P<day>\d{1,2})",
}
_TIME: Final = (
    r"(?:(?:[T ]|, )(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?: ?(?P<half>[AaPp][Mm]))?(?P<zone> ?(?:Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?)?"
)
_ISO: Final = "%Y-%m-%d"
_COMPACT: Final = {"%Y": r"(?P<year>\d{4})", "%m": r"(?P<month>\d{2})", "%d": r"(?P<day>\d{2})"}

FORMATS: Final = (
    None,
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y-%m",
    *(f"%{first}{sign}%{second}{sign}%{year}" for sign in ".-/" for year in "Yy" for first, second in ("dm", "md")),
    *("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d/%b/%Y", "%d. %b %Y", "%b %d, %Y", "%b %d %Y"),
    "%Y%m%d",
)
"""Orders of year, month and day, in strptime's words, that are tried; None is ISO 8601. A time may follow."""

_COMMON_ISO: Final = r"^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?$"
_LIKE_A_DATE: Final = (
    r"^(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{4}-\d{1,2}$|\d{8}(?:[T ]|$)|\d{1,2}[-/. ]+[A-Za-z]{3,9}|[A-Za-z]{3,9} \d)"
)
"""What most cells must look like before any order is tried, since trying them all takes long."""


@dataclass(frozen=True)
class DateChoice:
    """The order that reads the most of a column's cells.

    Attributes:
        best: It, in strptime's words; None for ISO 8601.
        num_read: How many cells it reads.
        other: Another order that reads as many, but to other days.
    """

    best: str | None
    num_read: int
    other: str | None = None


def parse_dates(texts: Any, date_format: str | None) -> Any:
    """Points in time, timestamp[us] in UTC; null where the text is no such date.

    Args:
        texts: An array of strings without spaces at the ends.
        date_format: The order of the date's parts, one of `FORMATS`. A time may follow.
    """
    if date_format is None and (stamps := _parsed_at_once(texts)) is not None:
        return stamps
    found = pc.extract_regex(texts, _pattern(date_format))
    is_date = found.is_valid().to_numpy(zero_copy_only=False)
    part = {name: _text_of(found, name) for name in _PARTS}
    year = _whole(part["year"])
    if date_format is not None and "%y" in date_format:
        year = np.where(year < 69, year + 2000, year + 1900)  # POSIX: 69 to 99 are of the twentieth century
    by_name = date_format is not None and "%b" in date_format
    month = _month_by_name(part["month"]) if by_name else _whole(part["month"])
    day = np.ones_like(year) if date_format == "%Y-%m" else _whole(part["day"])
    days, is_day = _days_since_1970(year, month, day)
    microseconds, is_time = _microseconds(part)
    valid = is_date & is_day & is_time
    stamps = (days * 86_400_000_000 + microseconds).astype("datetime64[us]")
    return pa.array(stamps, type=pa.timestamp("us"), mask=~valid)


def find_date_format(texts: Any, counts: Any) -> DateChoice:
    """How a column's dates are written, and by which other order they could be read as well.

    Args:
        texts: The distinct cells, gaps left out.
        counts: How often each occurs, (cells,) int64 of NumPy.
    """
    weights = counts
    alike = pc.match_substring_regex(texts, _LIKE_A_DATE).to_numpy(zero_copy_only=False)
    if weights[alike].sum() * 2 < weights.sum():
        return DateChoice(None, 0)
    best, best_dates = DateChoice(None, 0), None
    for date_format in FORMATS:
        matched = pc.match_substring_regex(texts, _pattern(date_format)).to_numpy(zero_copy_only=False)
        if weights[matched].sum() < max(best.num_read, 1):
            continue
        dates = parse_dates(texts, date_format)
        num_read = int(weights[dates.is_valid().to_numpy(zero_copy_only=False)].sum())
        if num_read > best.num_read:
            best, best_dates = DateChoice(date_format, num_read), dates
            if date_format is None and num_read == weights.sum():
                break  # no other order has the year first and dashes
        elif num_read == best.num_read > 0 and not dates.equals(best_dates):
            best = DateChoice(best.best, num_read, date_format)
    return best


def _parsed_at_once(texts: Any) -> Any | None:
    """Arrow's own parser: ten times as fast, but it takes only the commonest form, and fails where one day is wrong."""
    if not pc.all(pc.match_substring_regex(texts, _COMMON_ISO)).as_py():
        return None
    try:
        return pc.cast(texts, pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None


_PARTS: Final = ("year", "month", "day", "hour", "minute", "second", "fraction", "half", "zone")


def _pattern(date_format: str | None) -> str:
    directives = _COMPACT if date_format == "%Y%m%d" else _DIRECTIVES
    pattern = re.escape(date_format or _ISO)
    for directive, part in directives.items():
        pattern = pattern.replace(re.escape(directive), part)
    return f"^{pattern}{_TIME}$".replace("\\ ", " ")


def _text_of(found: Any, name: str) -> Any:
    if found.type.get_field_index(name) < 0:
        return pa.array([""] * len(found))
    return pc.fill_null(pc.struct_field(found, name), "")


def _whole(texts: Any) -> Any:
    """Whole numbers; 0 for an empty text."""
    return pc.cast(pc.if_else(pc.equal(texts, ""), "0", texts), pa.int64()).to_numpy(zero_copy_only=False)


def _month_by_name(texts: Any) -> Any:
    short = pc.utf8_slice_codeunits(pc.utf8_lower(texts), 0, 3)
    place = pc.fill_null(pc.index_in(short, value_set=pa.array(_MONTHS)), -1)
    return place.to_numpy(zero_copy_only=False).astype(np.int64) + 1


def _days_since_1970(year: Any, month: Any, day: Any) -> tuple[Any, Any]:
    """Days, and whether the calendar has this day."""
    months = (year - 1970) * 12 + month - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    following = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    in_calendar = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= following - first)
    return first + day - 1, in_calendar


def _microseconds(part: Mapping[str, Any]) -> tuple[Any, Any]:
    """Microseconds since midnight in UTC, and whether the clock has this time."""
    hour, minute, second = (_whole(part[name]) for name in ("hour", "minute", "second"))
    half = pc.utf8_lower(part["half"])
    is_pm, is_am = (pc.equal(half, word).to_numpy(zero_copy_only=False) for word in ("pm", "am"))
    in_clock = (hour <= 23) & (minute <= 59) & (second <= 59) & ~((is_pm | is_am) & ((hour < 1) | (hour > 12)))
    hour = np.where(is_pm, hour % 12 + 12, np.where(is_am, hour % 12, hour))
    fraction = _whole(pc.utf8_slice_codeunits(pc.utf8_rpad(part["fraction"], 6, "0"), 0, 6))
    ahead_s, is_zone = _seconds_ahead(part["zone"])
    return (hour * 3600 + minute * 60 + second - ahead_s) * 1_000_000 + fraction, in_clock & is_zone


def _seconds_ahead(zones: Any) -> tuple[Any, Any]:
    """How far the zone's clocks are ahead of UTC, and whether there is such a zone."""
    digits = pc.replace_substring_regex(zones, r"[^0-9]", "")
    hours = _whole(pc.utf8_slice_codeunits(digits, 0, 2))
    minutes = _whole(pc.utf8_slice_codeunits(digits, 2, 4))
    sign = np.where(pc.match_substring(zones, "-").to_numpy(zero_copy_only=False), -1, 1)
    return sign * (hours * 3600 + minutes * 60), (hours <= 15) & (minutes <= 59)
