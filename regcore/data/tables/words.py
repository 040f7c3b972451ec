"""Words that stand for no value, for yes and for no, in tables."""

from typing import Final

GAP_WORDS: Final = frozenset(
    {"", "na", "n/a", "n.a.", "#n/a", "<na>", "nan", "-nan", "nat", "null", "none", "\\n", "?", "-", "--", "."}
)
"""Cells that say that a value is missing, in lower case. In categories and texts the empty cell alone does: `NA` is
Namibia there."""

INFINITY_WORDS: Final = frozenset({sign + word for sign in ("", "+", "-") for word in ("inf", "infinity", "∞")})
"""In lower case. They are written where numbers are, but are none."""

BOOLEAN_WORDS: Final = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"), ("off", "on"), ("0", "1"))
"""Words for no and yes, in lower case. A column of text with words of one pair alone is found to be a boolean."""


def is_gap(text: str) -> bool:
    """Whether a cell of numbers, dates, booleans, or of a target has no value."""
    return text.strip().lower() in GAP_WORDS


def is_no_label(text: str) -> bool:
    """Whether a cell of a target names no class: it is a gap, or infinite."""
    return is_gap(text) or text.strip().lower() in INFINITY_WORDS
