"""What a set of files is of: images, sounds or texts, by the endings of their names."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final, Literal

from regcore.data.files.entry import Entry
from regcore.data.tables.facts import TableWarning
from regcore.errors import InvalidDataError, shortened

Media = Literal["image", "audio", "text"]

ENDINGS: Final[dict[str, Media]] = {
    ".png": "image",
    ".jpg": "image",
    ".jpeg": "image",
    ".webp": "image",
    ".wav": "audio",
    ".flac": "audio",
    ".txt": "text",
}
_OTHERS: Final = {
    "an image": (".bmp", ".gif", ".tif", ".tiff", ".heic", ".heif", ".avif", ".eps", ".svg", ".ico", ".jp2"),
    "a sound": (".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".wma", ".au"),
    "a film": (".mp4", ".mov", ".avi", ".mkv", ".webm"),
    "a document": (".pdf", ".doc", ".docx", ".odt", ".rtf", ".html", ".htm"),
    "an archive": (".zip", ".gz", ".bz2", ".xz", ".7z", ".tar", ".tgz", ".rar"),
    "a file of rows": (".csv", ".tsv", ".parquet", ".jsonl", ".xlsx", ".npy", ".npz"),
}
"""By what they are, endings of files that may well be meant and are not read."""
_READ: Final = "PNG, JPEG and WebP images, WAV and FLAC sounds, and .txt texts"
_NUM_SHOWN: Final = 3


def media_of(entries: Sequence[Entry]) -> tuple[Media, list[Entry], list[TableWarning]]:
    """What the files are, those of them that belong to the set, and what to say of the others.

    Notes and tables beside the files, such as `README.md`, are left out with a warning. What may be meant as a row of
    the set, and cannot be read, is refused.

    Raises:
        InvalidDataError: There are no such files, several kinds of them, or others that may be meant.
    """
    counts = Counter(ENDINGS[ending] for entry in entries if (ending := ending_of(entry.path)) in ENDINGS)
    if len(counts) > 1 and "text" in counts and len(counts) == len({"text", *counts}) and counts.most_common(1):
        counts.pop("text")  # a read-me or a list of labels beside images or sounds
    if len(counts) != 1:
        raise _no_set(entries, counts)
    ((media, _),) = counts.items()
    kept = [entry for entry in entries if ENDINGS.get(ending_of(entry.path)) == media]
    others = [entry for entry in entries if ENDINGS.get(ending_of(entry.path)) != media]
    for entry in others:
        _refuse_meant(entry, media)
    return media, kept, _left_out(others)


def ending_of(path: str) -> str:
    """Of a file's name, in lower case, with the point."""
    return PurePosixPath(path).suffix.lower()


def _refuse_meant(entry: Entry, media: Media) -> None:
    """Refuse a file in a folder of a class whose ending says that it may be another row, and any archive."""
    for what, endings in _OTHERS.items():
        is_row = "/" in entry.path and what != "a file of rows"
        if ending_of(entry.path) in endings and (is_row or what == "an archive"):
            raise InvalidDataError(
                f"{entry.path} is {what} by its name, and is not read. The files of {_WORDS[media]} are of "
                f"{_FORMATS[media]}.",
                remedy="Save it in one of these formats, or leave it out.",
                details={"file": entry.path},
            )


_WORDS: Final[dict[Media, str]] = {"image": "a set of images", "audio": "a set of sounds", "text": "a set of texts"}
_FORMATS: Final[dict[Media, str]] = {"image": "PNG, JPEG or WebP", "audio": "WAV or FLAC", "text": "plain text, .txt"}


def _left_out(others: Sequence[Entry]) -> list[TableWarning]:
    if not others:
        return []
    shown = shortened(", ".join(repr(entry.path) for entry in others[:_NUM_SHOWN]), 200)
    more = ", ..." if len(others) > _NUM_SHOWN else ""
    return [
        TableWarning(
            code="files_left_out",
            message=f"{len(others):,} other files are left out: {shown}{more}.",
            remedy="Nothing is to be done if they are notes; what is to be learned from must be of the set's kind.",
        )
    ]


def _no_set(entries: Sequence[Entry], counts: Counter[Media]) -> InvalidDataError:
    if counts:
        held = " and ".join(f"{number:,} of {media}" for media, number in counts.most_common())
        return InvalidDataError(
            f"It holds several kinds of files: {held}.", remedy="Make a set of each: one has one kind of rows."
        )
    for entry in entries:
        for what, endings in _OTHERS.items():
            if ending_of(entry.path) in endings:
                return InvalidDataError(
                    f"It holds {len(entries):,} files, and none of a kind that is read as a set: {entry.path} is "
                    f"{what}. Sets of files are {_READ}, in a folder for each class.",
                    remedy="Send a single file of rows by itself, unpacked or packed by gzip."
                    if what == "a file of rows"
                    else "Save the files in one of these formats.",
                    details={"file": entry.path},
                )
    held = shortened(", ".join(repr(entry.path) for entry in entries[:_NUM_SHOWN]), 200) or "nothing"
    return InvalidDataError(
        f"It holds no files that are read as a set: {held}. Sets of files are {_READ}, in a folder for each class.",
        remedy="Put the files of each class into a folder with the class's name.",
    )
