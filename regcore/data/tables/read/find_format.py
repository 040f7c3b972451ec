"""Which kind of file it is: by its first bytes, then by what is said of it, then by its name."""

from pathlib import Path
from typing import Final, Literal, get_args

from regcore.errors import InvalidDataError

FileFormat = Literal["csv", "parquet", "jsonl", "npz", "idx"]

_MEDIA_TYPES: Final[dict[str, FileFormat | None]] = {
    "text/csv": "csv",
    "application/csv": "csv",
    "text/tab-separated-values": "csv",
    "text/plain": None,
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/json": "jsonl",
    "application/zip": "npz",
    "application/gzip": None,
    "application/octet-stream": None,
}
"""None: any, as the content says."""
_SUFFIXES: Final[dict[str, FileFormat]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".npz": "npz",
}
_CONTENTS: Final[tuple[tuple[bytes, FileFormat], ...]] = (
    # The fifth byte is that of the first header in it: a CSV file may begin with a column PAR1.
    (b"PAR1\x15", "parquet"),
    (b"PARE", "parquet"),
    (b"PK\x03\x04", "npz"),
    (b"PK\x05\x06", "npz"),
    (b"\0\0\x08\x03", "idx"),
)
_OTHERS: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"\x93NUMPY", "one NumPy array", "Save it by numpy.savez(path, x=x, y=y)."),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook of the old kind", "Save the sheet as CSV."),
    (b"\x1f\x8b", "gzipped twice", "Unpack it once."),
    (b"BZh91AY", "packed by bzip2", "Unpack it, or pack it by gzip."),
    (b"\xfd7zXZ", "packed by xz", "Unpack it, or pack it by gzip."),
    (b"\x28\xb5\x2f\xfd", "packed by zstd", "Unpack it, or pack it by gzip."),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it, or pack the file in it by gzip."),
    (b"ARROW1\0", "an Arrow (Feather) file", "Write it as Parquet."),
    (b"\x89HDF", "an HDF5 file", "Write it as Parquet or CSV."),
    (b"SQLite format 3\0", "an SQLite database", "Export the table as CSV."),
    (b"%PDF-", "a PDF document", "Send the table as CSV."),
    (
        b"\x89PNG",
        "a PNG image",
        "Put it into a folder of its class, and give the folder that holds all classes, or a ZIP archive of it.",
    ),
    (
        b"\xff\xd8\xff",
        "a JPEG image",
        "Put it into a folder of its class, and give the folder that holds all classes, or a ZIP archive of it.",
    ),
    (b"\x80\x04\x95", "a Python pickle, which is never read", "Write it by DataFrame.to_parquet."),
    (b"\x80\x05\x95", "a Python pickle, which is never read", "Write it by DataFrame.to_parquet."),
)
_PAGES: Final = (b"<!doctype", b"<html", b"<?xml")
_BOM: Final = b"\xef\xbb\xbf"
_WORDS: Final[dict[FileFormat, str]] = {
    "csv": "CSV",
    "parquet": "Parquet",
    "jsonl": "JSONL",
    "npz": "NPZ",
    "idx": "IDX",
}
_START_BYTES: Final = 1_000


def said_format(format: str | None) -> FileFormat | None:
    """The format that a word or a media type means; None if it leaves that to the content.

    Raises:
        ValueError: It is no such word.
    """
    if format is None:
        return None
    word = format.partition(";")[0].strip().lower()
    if word in get_args(FileFormat):
        return next(known for known in get_args(FileFormat) if known == word)
    if word not in _MEDIA_TYPES:
        known = ", ".join([*get_args(FileFormat), *_MEDIA_TYPES])
        raise ValueError(f"format must be one of {known}; received {format!r}")
    return _MEDIA_TYPES[word]


def find_format(path: Path, name: str, said: FileFormat | None) -> FileFormat:
    """The format of a file that is not gzipped.

    Args:
        path: Where it lies.
        name: What its owner calls it: its ending tells CSV from JSONL.
        said: What its owner says that it is.

    Raises:
        InvalidDataError: It is of no known format, or of another than was said.
    """
    with path.open("rb") as stream:
        start = stream.read(_START_BYTES)
    if not start:
        raise InvalidDataError("It is empty.", remedy="Give it a header and rows.")
    for magic, what, remedy in _OTHERS:
        if start.startswith(magic):
            raise InvalidDataError(f"It is {what}.", remedy=remedy)
    text = start.removeprefix(_BOM).lstrip()
    if text.lower().startswith(_PAGES):
        raise InvalidDataError(
            "It is a page or document in HTML or XML.", remedy="Save the table itself, as CSV for example."
        )
    expected = said or _SUFFIXES.get(_suffix(name))
    found = next((known for magic, known in _CONTENTS if start.startswith(magic)), None)
    if expected == "parquet" and start.startswith(b"PAR1"):
        return "parquet"  # damaged after the magic word, as its reader will say
    if found is None and expected in ("parquet", "npz"):
        raise _contradiction(f"begins with {start[:8]!r}", expected, said, "csv" if _is_text(start) else None)
    if found is None and expected is None:
        return "jsonl" if text.startswith((b"{", b"[{")) else "csv"
    if found is None and expected == "csv" and text.startswith((b'{"', b'[{"')):
        raise _contradiction("is JSON", expected, said, "jsonl")
    if found and expected and found != expected:
        raise _contradiction(f"is {_WORDS[found] if found != 'npz' else 'a ZIP archive'}", expected, said, found)
    return found or expected or "csv"


def _suffix(name: str) -> str:
    return Path(name.lower().removesuffix(".gz")).suffix


def _is_text(start: bytes) -> bool:
    return b"\0" not in start


def _contradiction(
    content: str, expected: FileFormat, said: FileFormat | None, better: FileFormat | None
) -> InvalidDataError:
    said_by = "is said to be" if said else "is named as"
    advice = (
        f"Say that it is {_WORDS[better]}, or name it so, if it is" if better else f"Send a {_WORDS[expected]} file"
    )
    return InvalidDataError(f"It {said_by} {_WORDS[expected]}, and its content {content}.", remedy=f"{advice}.")
