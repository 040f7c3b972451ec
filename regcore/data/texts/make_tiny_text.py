"""Make `tiny_text.csv.gz` again from the files of WordNet 3.0: `python make_tiny_text.py /usr/share/wordnet/data.noun`.

Debian's package wordnet-base has them. The result is the same, byte for byte.
"""

import csv
import gzip
import io
import re
import sys
from hashlib import sha256
from pathlib import Path
from typing import Final

_CLASSES: Final = {"05": "animal", "06": "artifact", "08": "body", "13": "food", "15": "location", "20": "plant"}
"""Lexicographer files by their number, as lexnames(5WN) lists them."""
_ROWS_A_CLASS: Final = 400
_WORDS: Final = range(6, 31)
_UNFIT: Final = re.compile("sex|obscen|slang|offensive|genital")
"""Definitions with these are no demonstration for everybody."""


def main() -> None:
    """Write the file beside this one."""
    found: dict[str, set[str]] = {label: set() for label in _CLASSES.values()}
    for line in Path(sys.argv[1]).read_text("utf-8").splitlines():
        number, gloss = line[9:11], line.partition(" | ")[2]
        definition = gloss.partition('; "')[0].strip()
        is_fit = len(definition.split()) in _WORDS and not _UNFIT.search(definition)
        if is_fit and number in _CLASSES and not line.startswith("  "):
            found[_CLASSES[number]].add(definition)
    kept: dict[str, str] = {}
    for label, definitions in found.items():
        others = set().union(*(own for other, own in found.items() if other != label))
        drawn = sorted(definitions - others, key=_digest)[:_ROWS_A_CLASS]
        kept |= dict.fromkeys(drawn, label)
    whole = io.StringIO(newline="")
    writer = csv.writer(whole, lineterminator="\n")
    writer.writerow(["text", "label"])
    writer.writerows((text, kept[text]) for text in sorted(kept, key=_place))
    packed = gzip.compress(whole.getvalue().encode(), 9, mtime=0)
    Path(__file__).with_name("tiny_text.csv.gz").write_bytes(packed)


def _digest(text: str) -> bytes:
    """By which definitions are drawn."""
    return sha256(text.encode()).digest()


def _place(text: str) -> bytes:
    """By which rows are in order: not the one before, which is smaller where a class has more to draw from."""
    return _digest(f"place of {text}")


if __name__ == "__main__":
    main()
