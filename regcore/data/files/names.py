"""What the paths of a set of files say: which files belong to it, the class of each, and its split."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from regcore.errors import InvalidDataError, shortened

FILE: Final = "file"
LABEL: Final = "label"
SPLIT: Final = "split"
"""The columns of a set of files."""
SPLIT_WORDS: Final = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""Names of folders that say a split, in lower case."""

_OF_SYSTEMS: Final = frozenset({"thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin"})
_MAX_PATH_CHARACTERS: Final = 1_000
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")
_FILE_IN_CLASS: Final = 2
"""Parts of the path of a file in the folder of its class."""
_NUM_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Place:
    """What a path says.

    Attributes:
        label: The folder of its class; None without folders of classes.
        split: train, validation or test; None where no folders say it.
    """

    label: str | None
    split: str | None


def check_path(path: str) -> None:
    """Refuse paths that name no file inside the set: absolute ones, `..`, and control characters.

    Raises:
        InvalidDataError: It is one.
    """
    parts = path.replace("\\", "/").split("/")
    why = None
    if _CONTROLS.search(path):
        why = "holds control characters"
    elif path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", path):
        why = "is absolute"
    elif ".." in parts:
        why = "leads out of the set by '..'"
    elif len(path) > _MAX_PATH_CHARACTERS:
        why = f"has {len(path):,} characters, and may have {_MAX_PATH_CHARACTERS:,}"
    if why:
        raise InvalidDataError(
            f"The path {shortened(ascii(path), 200)} in it {why}.",
            remedy="Pack the folder again, with the files' own names.",
        )


def is_of_system(path: str) -> bool:
    """Whether a system or a program has left the file, and no user means it: `.DS_Store`, `__MACOSX`, `Thumbs.db`."""
    return any(part.startswith(".") or part.lower() in _OF_SYSTEMS for part in path.split("/"))


def places_of(paths: Sequence[str]) -> list[Place]:
    """The class and the split of each file.

    A folder that holds everything says nothing. Below it, folders called train, validation and test (or val, dev, ...)
    say the split, if there is one for training; the first folder below is the class.

    Args:
        paths: Of the files that belong to the set, with `/` between folders.

    Raises:
        InvalidDataError: Some files are in a folder of a class, and others are not.
    """
    parts = [path.split("/") for path in paths]
    while parts and min(map(len, parts)) > _FILE_IN_CLASS and len({one[0] for one in parts}) == 1:
        parts = [one[1:] for one in parts]
    splits: list[str | None] = [None] * len(parts)
    if _says_splits(parts):
        splits = [SPLIT_WORDS[one[0].lower()] for one in parts]
        parts = [one[1:] for one in parts]
    has_folder = [len(one) > 1 for one in parts]
    if any(has_folder) and not all(has_folder):
        stray = [path for path, inside in zip(paths, has_folder, strict=True) if not inside]
        raise InvalidDataError(
            f"{sum(has_folder):,} files are in a folder of their class, and {len(stray):,} are in none: "
            f"{shortened(', '.join(map(repr, stray[:_NUM_SHOWN])), 200)}.",
            remedy="Move each file into the folder of its class, or leave it out.",
            details={"file": stray[0]},
        )
    return [Place(one[0] if len(one) > 1 else None, split) for one, split in zip(parts, splits, strict=True)]


def _says_splits(parts: Sequence[Sequence[str]]) -> bool:
    """Whether every file is in a folder of a split, and there are several of them, one for training."""
    first = Counter(SPLIT_WORDS.get(one[0].lower()) for one in parts if len(one) > 1)
    return None not in first and "train" in first and sum(first.values()) == len(parts) and len(first) > 1
