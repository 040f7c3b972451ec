"""Numbers as people write them: with a decimal point or comma, and with or without separated thousands."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Decimal = Literal[".", ","]
Thousands = Literal[",", ".", " ", "'", "\u00a0", "\u202f"]

_LARGEST_EXACT_INTEGER: Final = 2.0**53


@dataclass(frozen=True)
class Convention:
    """How the numbers of one column are written."""

    decimal: Decimal = "."
    thousands: Thousands | None = None

    @cached_property
    def pattern(self) -> str:
        """What such a number looks like, as a regular expression of RE2 and of Python."""
        point = re.escape(self.decimal)
        plain = rf"(?:\d+{point}?\d*|{point}\d+)(?:[eE][+-]?\d+)?"
        if self.thousands is None:
            return f"^[+-]?{plain}$"
        return rf"^[+-]?(?:{plain}|{self._grouped}(?:{point}\d*)?)$"

    @property
    def _grouped(self) -> str:
        return rf"[1-9]\d{{0,2}}(?:{re.escape(self.thousands or '')}\d{{3}})+"

    def plain(self, texts: Any) -> Any:
        """Numbers of this convention in Python's spelling."""
        if self.thousands is not None:
            texts = pc.replace_substring(texts, self.thousands, "")
        if self.decimal != ".":
            texts = pc.replace_substring(texts, self.decimal, ".")
        return pc.utf8_ltrim(texts, "+")


POINT: Final = Convention()
COMMA: Final = Convention(",")
POINT_AND_COMMAS: Final = Convention(".", ",")
COMMA_AND_POINTS: Final = Convention(",", ".")
CONVENTIONS: Final = (
    POINT,
    COMMA,
    POINT_AND_COMMAS,
    COMMA_AND_POINTS,
    *(Convention(decimal, mark) for mark in (" ", "'", "\u00a0", "\u202f") for decimal in (".", ",")),
)
"""Those that are tried, the simpler first."""


@dataclass(frozen=True)
class Choice:
    """The convention that reads the most of a column's cells.

    Attributes:
        best: It.
        other: Another that reads as many, but to other numbers: `1,234` may be 1.234 or 1234.
        shows_decimals: Whether a cell has a decimal sign that nothing else can be.
    """

    best: Convention
    other: Convention | None = None
    shows_decimals: bool = False


def parse_numbers(texts: Any, convention: Convention) -> Any:
    """Numbers, float64, each the nearest to what is written; null where the text is no number, or beyond ±1.8e308.

    Args:
        texts: Strings without spaces at the ends.
        convention: How they are written.
    """
    texts = _with_ascii_minus(texts)
    matched = pc.if_else(pc.match_substring_regex(texts, convention.pattern), texts, None)
    numbers = pc.cast(convention.plain(matched), pa.float64())
    return pc.if_else(pc.is_finite(numbers), numbers, None)


def loses_spelling(texts: Any, numbers: Any, convention: Convention) -> Any:
    """Which texts are more than their number tells: `01234`, whole numbers beyond 2⁵³, and what became 0.

    Args:
        texts: Strings.
        numbers: Theirs, from `parse_numbers`.
        convention: How they are written.
    """
    plain = convention.plain(_with_ascii_minus(texts))
    padded = pc.match_substring_regex(plain, r"^-?0\d")
    large = pc.and_(
        pc.greater_equal(pc.abs(numbers), _LARGEST_EXACT_INTEGER), pc.match_substring_regex(plain, r"^-?\d+$")
    )
    vanished = pc.and_(pc.equal(numbers, 0.0), pc.match_substring_regex(plain, r"^[^eE]*[1-9]"))
    return pc.fill_null(pc.or_(pc.or_(padded, large), vanished), False)


def find_convention(texts: Any, counts: Any) -> Choice:
    """How a column's numbers are written, and by which other convention they could be read as well.

    Args:
        texts: The distinct cells, gaps left out.
        counts: How often each occurs, (cells,) int64 of NumPy.
    """
    texts = _with_ascii_minus(texts)
    num_read = [_num_read(texts, counts, POINT)]
    if num_read[0] < counts.sum():
        num_read += [_num_read(texts, counts, convention) for convention in CONVENTIONS[1:]]
    best = CONVENTIONS[int(np.argmax(num_read))]
    signed = texts.filter(pc.match_substring(texts, best.decimal))
    signed = signed.filter(pc.match_substring_regex(signed, best.pattern))
    return Choice(best, _other(signed, best), shows_decimals=len(signed) > 0)


def _other(signed: Any, best: Convention) -> Convention | None:
    """`1,234` and `1.234` are grouped or fractions; if every number with the sign has that form, both readings hold."""
    if best not in (POINT, COMMA) or not len(signed):
        return None
    grouped = rf"^[+-]?[1-9]\d{{0,2}}{re.escape(best.decimal)}\d{{3}}$"
    if not pc.all(pc.match_substring_regex(signed, grouped)).as_py():
        return None
    return COMMA_AND_POINTS if best == POINT else POINT_AND_COMMAS


def _num_read(texts: Any, counts: Any, convention: Convention) -> int:
    matched = pc.match_substring_regex(texts, convention.pattern)
    return int(counts[matched.to_numpy(zero_copy_only=False)].sum())


def _with_ascii_minus(texts: Any) -> Any:
    return pc.replace_substring(texts, "\u2212", "-")
