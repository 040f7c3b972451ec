"""Labels of users in an SVG: escaped, measured, and cut where there is no room.

Without a font nothing can be measured exactly. Widths are those of common sans-serif fonts, rather too large.
"""

import re
import unicodedata
from collections.abc import Iterator
from html import escape
from typing import Final

ELLIPSIS: Final = "…"
_NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_TURNS_TEXT: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""What would turn the text around it, such as a count, or the text of the next label."""
_NARROW: Final = frozenset("iljtfrI.,:;'|!()[]` ")
_WIDE: Final = frozenset("mwMW@%&")
_JOINER: Final = "\u200d"
_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)
_FLAG_LETTERS: Final = range(0x1F1E6, 0x1F200)


def cleaned(text: str) -> str:
    """The text in one line, without what XML forbids; an empty one is said to be so."""
    text = _TURNS_TEXT.sub("", _NOT_IN_XML.sub("\ufffd", " ".join(text.split())))
    return text or "(empty)"


def xml(text: str) -> str:
    """The text for between tags, or in an attribute."""
    return escape(_NOT_IN_XML.sub("\ufffd", text), quote=True)


def rows_in_words(count: int) -> str:
    """Such as `1 row`, `1,200 rows`."""
    return "1 row" if count == 1 else f"{count:,} rows"


def text_width(text: str, size: float) -> float:
    """About how wide a text is.

    Args:
        text: In one line.
        size: Of the font, in the unit of the result.
    """
    return size * sum(_width(cluster) for cluster in _clusters(text))


def fitted(text: str, width: float, size: float) -> str:
    """The text if it fits, else as much of its beginning as fits before an ellipsis.

    What is seen as one character, such as a letter with its marks or a flag, is not cut.
    """
    if text_width(text, size) <= width:
        return text
    room, kept = width / size - _width(ELLIPSIS), ""
    for cluster in _clusters(text):
        room -= _width(cluster)
        if room < 0:
            break
        kept += cluster
    return kept.rstrip() + ELLIPSIS


def _clusters(text: str) -> Iterator[str]:
    """What is seen as one character each."""
    cluster = ""
    for character in text:
        if cluster and not _goes_on(cluster, character):
            yield cluster
            cluster = ""
        cluster += character
    if cluster:
        yield cluster


def _goes_on(cluster: str, character: str) -> bool:
    if cluster.endswith(_JOINER) or ord(character) in _SKIN_TONES:
        return True
    if ord(character) in _FLAG_LETTERS:
        return len(cluster) == 1 and ord(cluster) in _FLAG_LETTERS
    return unicodedata.category(character) in ("Mn", "Me", "Mc", "Cf")


def _width(cluster: str) -> float:
    """In em."""
    first = cluster[0]
    if unicodedata.east_asian_width(first) in "WF" or ord(first) in _FLAG_LETTERS or ord(first) >= 0x1F000:
        return 1.25
    if first in _NARROW:
        return 0.36
    if first in _WIDE:
        return 0.98
    return 0.74 if first.isupper() else 0.62
