"""Names of columns: unique, printable, and without spaces at their ends."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from regcore.data.tables.facts import TableWarning

MAX_NAME_CHARACTERS: Final = 200
_NUM_SHOWN: Final = 5
_SHOWN_CHARACTERS: Final = 40
_NEVER_SHOWN: Final = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's categories of controls, invisible signs, half surrogate pairs and separators of lines."""


def final_names(given: Sequence[str]) -> tuple[list[str], list[TableWarning]]:
    """Names that messages, specs and answers can hold, and what was changed.

    Controls and invisible signs become spaces, spaces at the ends go, letters with accents become one character each
    (Unicode's NFC), an empty name becomes `column_3` by its place, and the second `age` becomes `age_2`.
    """
    cleaned = [_cleaned(name) or f"column_{place}" for place, name in enumerate(given, start=1)]
    taken = set(cleaned)
    names: list[str] = []
    used: set[str] = set()
    for name in cleaned:
        unique, ordinal = name, 2
        while unique in used or (unique != name and unique in taken):
            unique, ordinal = f"{name}_{ordinal}", ordinal + 1
        used.add(unique)
        names.append(unique)
    return names, _said(given, names)


def _cleaned(name: str) -> str:
    printable = "".join(" " if unicodedata.category(sign) in _NEVER_SHOWN else sign for sign in name)
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", printable)).strip()[:MAX_NAME_CHARACTERS].strip()


def _said(given: Sequence[str], names: Sequence[str]) -> list[TableWarning]:
    renamed = [(old, new) for old, new in zip(given, names, strict=True) if old != new]
    if not renamed:
        return []
    shown = ", ".join(
        f"{old[:_SHOWN_CHARACTERS]!r} is {new[:_SHOWN_CHARACTERS]!r}" for old, new in renamed[:_NUM_SHOWN]
    )
    were = "was" if len(renamed) == 1 else "were"
    more = f", and {len(renamed) - _NUM_SHOWN:,} more" if len(renamed) > _NUM_SHOWN else ""
    return [
        TableWarning(
            code="columns_renamed",
            message=f"{len(renamed):,} of {len(names):,} columns {were} renamed: {shown}{more}.",
            remedy="Use the new names in specs, or give the columns unique names without spaces at their ends.",
        )
    ]
