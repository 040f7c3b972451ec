"""The type of one column, from its distinct cells."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from regcore.data.tables.attempts import AS_IT_IS, Attempt, Distinct, attempt, mask_of
from regcore.data.tables.dates import DateChoice, find_date_format
from regcore.data.tables.facts import MAX_VALUES, ColumnType, Reading
from regcore.data.tables.numbers import POINT, Choice, Convention, find_convention, loses_spelling, parse_numbers
from regcore.data.tables.read_column import gaps, is_moment, is_numeric, is_text, spelled
from regcore.data.tables.words import BOOLEAN_WORDS, INFINITY_WORDS

_FEWEST_TEXTS: Final = 10
"""Fewer different texts than this are categories, even if all differ."""
_DIGITS_ONLY: Final = "%Y%m%d"
_MOST_SPELLINGS: Final = 16
"""More spellings than this are no two words in upper and lower case."""
_DIGITS: Final = r"[+-]?[0-9][0-9.,' ]*"
_UNITS: Final = r"(?:%|‰|[$€£¥]|°[CF]?|mm|cm|km|kg|mg|ml|USD|EUR|GBP|m|g|l|h|s)"
_NUMBER_WITH_UNIT: Final = rf"^(?:[$€£¥] ?{_DIGITS}|{_DIGITS} ?{_UNITS})$"
_BOOLEANS: Final = pa.array([word for pair in BOOLEAN_WORDS for word in pair])
_INFINITIES: Final = pa.array(sorted(INFINITY_WORDS))


@dataclass(frozen=True)
class ColumnDoubt:
    """Something about a column that its owner should know.

    Attributes:
        code: Stable word for programs.
        message: What is the matter; it goes on after the column's name.
        remedy: What to do about it.
    """

    code: str
    message: str
    remedy: str


class FoundType(NamedTuple):
    """The type of a column."""

    type: ColumnType
    why: str = ""
    doubt: ColumnDoubt | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ColumnDraft:
    """What one column is.

    Attributes:
        found: Its type.
        attempts: The type found, `category`, and every other type as which at least half of the cells can be read.
        choice: How its numbers may be written; None if its cells are no text.
    """

    found: FoundType
    attempts: Mapping[ColumnType, Attempt]
    choice: Choice | None = None


def draft_column(distinct: Distinct, convention: Convention | None = None) -> ColumnDraft:
    """Find what a column is.

    Args:
        distinct: Its cells.
        convention: How its numbers are written; None for what reads the most of them.
    """
    is_gap = mask_of(gaps(distinct.cells, "number"))
    category = attempt(distinct, "category", AS_IT_IS)
    if is_gap.all():
        nothing = Attempt(AS_IT_IS.model_copy(update={"num_missing": distinct.num_cells}), distinct.cells[:0], 0)
        return ColumnDraft(FoundType("ignore", "It has no values."), {"category": category, "ignore": nothing})
    valued = distinct.where(~is_gap)
    choice = find_convention(valued.cells, valued.counts) if is_text(valued.cells.type) else None
    written = convention or (choice.best if choice else POINT)
    dates = _find_dates(valued)
    how = _how(decimal=written.decimal, thousands=written.thousands)
    tried: dict[ColumnType, Attempt] = {"number": attempt(distinct, "number", how)}
    if _may_be_boolean(valued):
        tried["boolean"] = attempt(distinct, "boolean", AS_IT_IS)
    if dates.num_read:
        tried["date"] = attempt(distinct, "date", _how(date_format=dates.best))
    case = _Case(distinct, valued, category, tried, written, dates)
    found = _as_boolean(case) or _as_number(case) or _as_date(case) or _as_words(case)
    attempts = {"category": category, **{name: made for name, made in tried.items() if made.reads_half}}
    return ColumnDraft(found, attempts | ({"text": category} if found.type == "text" else {}), choice)


def _may_be_boolean(valued: Distinct) -> bool:
    """Whether at least half of the cells are words for yes or no."""
    if len(valued.cells) > MAX_VALUES:
        return False
    if pa.types.is_boolean(valued.cells.type):
        return True
    is_word = mask_of(pc.is_in(pc.utf8_lower(spelled(valued.cells)), value_set=_BOOLEANS))
    return bool(valued.counts[is_word].sum() * 2 >= valued.counts.sum())


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """All that decides on a type."""

    distinct: Distinct
    valued: Distinct  # without gap words
    category: Attempt
    tried: Mapping[ColumnType, Attempt]
    written: Convention
    dates: DateChoice

    @property
    def gap_words(self) -> str:
        """Those in the column, as messages name them."""
        if not is_text(self.distinct.cells.type):
            return ""
        words = self.distinct.cells.filter(gaps(self.distinct.cells, "number")).to_pylist()
        return ", ".join(f"{word!r}" for word in words if word)


def _as_boolean(case: _Case) -> FoundType | None:
    cells = case.valued.cells
    if pa.types.is_boolean(cells.type):
        return FoundType("boolean")
    if not is_text(cells.type) or len(cells) > _MOST_SPELLINGS:
        return None
    words = set(pc.utf8_lower(cells).to_pylist())
    for pair in BOOLEAN_WORDS:
        # A column of `F` alone may be of women, and one of `0` alone of amounts.
        if words <= set(pair) and (len(words) == 2 or len(pair[0]) > 1):
            return FoundType("boolean", _gaps_said(case))
    return None


def _as_number(case: _Case) -> FoundType | None:
    number = case.tried["number"]
    if not number.num_values or not mask_of(_is_infinite(number.unreadable)).all() or _any_loses_spelling(case):
        return None
    doubt = None
    if number.unreadable:
        doubt = ColumnDoubt(
            "infinite_cells",
            f"is infinite in {number.reading.num_unreadable:,} rows, which is read as a gap",
            "Leave them empty, or write numbers there.",
        )
    why = _gaps_said(case)
    if case.written.thousands is not None:
        grouped = case.valued.cells.filter(pc.match_substring(case.valued.cells, case.written.thousands))
        example = grouped[0]
        value = parse_numbers(pa.array([example]), case.written)[0]
        why = f"{example.as_py()!r} is read as {value.as_py():,.15g}. {why}".strip()
    return FoundType("number", why, doubt)


def _as_date(case: _Case) -> FoundType | None:
    date, cells = case.tried.get("date"), case.valued.cells
    if is_moment(cells.type):
        return FoundType("date")
    if date is None or is_numeric(cells.type) or not date.reads_all or case.dates.best == _DIGITS_ONLY:
        return None
    if case.dates.other is None:
        return FoundType("date", _gaps_said(case))
    example = cells[0].as_py()
    return FoundType(
        "text",
        f"Its dates, such as {example!r}, may be meant day first or month first.",
        ColumnDoubt(
            "ambiguous_dates",
            f"holds dates, such as {example!r}, that may be meant day first or month first; they are left out as text",
            f"Write them as YYYY-MM-DD, or ask for type date, which reads them {_order(case.dates.best)}.",
        ),
    )


def _as_words(case: _Case) -> FoundType:
    num_distinct, num_cells = case.category.reading.num_distinct, case.category.num_values
    why = f"Cells {case.gap_words} are no gaps here, but categories." if case.gap_words else ""
    if case.tried["number"].reads_all:
        why = f"{_first_that_loses(case)!r} would lose its spelling as a number. {why}".strip()
    if num_distinct < _FEWEST_TEXTS or num_distinct * 2 <= num_cells:
        return FoundType("category", why)
    if (example := _first_with_unit(case)) is not None:
        return FoundType("text", f"Its numbers have signs, such as {example!r}.", _with_units(example))
    said = f"{num_distinct:,} different texts in {num_cells:,} cells"
    if any(made.reads_half and not made.reads_all for made in case.tried.values()):
        return FoundType("text", f"There are {said}. {why}".strip())  # that some cells are wrong is said by their rows
    return FoundType(
        "text",
        f"There are {said}. {why}".strip(),
        ColumnDoubt(
            "identifier_column" if num_distinct == num_cells else "text_column",
            f"holds {said}, too many for categories; it is left out of the features",
            "Ask for type category if it is one all the same, or exclude the column.",
        ),
    )


def _first_with_unit(case: _Case) -> str | None:
    """The first of the cells, if most are numbers with a unit."""
    cells, counts = case.valued.cells, case.valued.counts
    if not is_text(cells.type):
        return None
    has_unit = mask_of(pc.match_substring_regex(cells, _NUMBER_WITH_UNIT))
    return str(cells.filter(pa.array(has_unit))[0].as_py()) if counts[has_unit].sum() * 2 > counts.sum() else None


def _with_units(example: str) -> ColumnDoubt:
    return ColumnDoubt(
        "numbers_with_units",
        f"holds numbers with signs, such as {example!r}, which are no numbers; it is left out of the features",
        "Write the numbers alone, and what they count into the column's name.",
    )


def _find_dates(valued: Distinct) -> DateChoice:
    kind = valued.cells.type
    if is_moment(kind):
        return DateChoice(None, int(valued.counts.sum()))
    if pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return DateChoice(None, 0)
    return find_date_format(spelled(valued.cells), valued.counts)


def _gaps_said(case: _Case) -> str:
    return f"Gaps are written {case.gap_words}." if case.gap_words else ""


def _order(date_format: str | None) -> str:
    return "month first" if (date_format or "").startswith("%m") else "day first"


def _any_loses_spelling(case: _Case) -> bool:
    return bool(pc.any(_loses_spelling(case)).as_py())


def _first_that_loses(case: _Case) -> str:
    return str(spelled(case.valued.cells.filter(_loses_spelling(case)))[0].as_py())


def _loses_spelling(case: _Case) -> Any:
    """Which of the valued cells are more than the number that they spell."""
    cells = case.valued.cells
    if pa.types.is_floating(cells.type) or pa.types.is_boolean(cells.type) or is_moment(cells.type):
        return pa.array(np.zeros(len(cells), bool))
    texts = spelled(cells)
    return loses_spelling(texts, parse_numbers(texts, case.written), case.written)


def _is_infinite(cells: Any) -> Any:
    if is_text(cells.type):
        return pc.is_in(pc.utf8_lower(cells), value_set=_INFINITIES)
    return pc.is_inf(cells) if pa.types.is_floating(cells.type) else pa.array(np.zeros(len(cells), bool))


def _how(**convention: Any) -> Reading:
    return AS_IT_IS.model_copy(update=convention)
