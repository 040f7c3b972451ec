"""Files of text as a column."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pyarrow as pa

from regcore.data.files.entry import Entry, MediaColumn
from regcore.data.tables.facts import TableWarning
from regcore.data.tables.read.encoding import as_utf8
from regcore.data.texts.facts import facts_of_texts
from regcore.errors import InvalidDataError

_BLOCK_CHARACTERS: Final = 16_000_000
"""Texts of about so many characters are one chunk of the column."""


def read_texts(entries: Sequence[Entry], on_progress: Callable[[float], None]) -> MediaColumn:
    """Read files of text, each as one cell; an empty one is kept.

    Raises:
        InvalidDataError: A file is damaged or no text; it is named.
    """
    with TemporaryDirectory(prefix="regcore-") as folder:
        reader = _Reader(entries, Path(folder), on_progress)
        facts = facts_of_texts(reader.texts())
    warnings = list(reader.guessed())
    if facts.num_empty:
        warnings.append(_empty(facts.num_empty))
    return MediaColumn(pa.chunked_array(reader.chunks, pa.large_string()).cast(pa.string()), facts, warnings)


class _Reader:
    """Reads texts one after another, and keeps them.

    Args:
        entries: The files.
        folder: Where one may be written to decode it.
        on_progress: Told the share that was read.

    Attributes:
        chunks: The texts so far.
    """

    def __init__(self, entries: Sequence[Entry], folder: Path, on_progress: Callable[[float], None]) -> None:
        self.chunks: list[pa.Array] = []
        self._entries = entries
        self._folder = folder
        self._on_progress = on_progress
        self._guessed: list[tuple[str, str]] = []

    def texts(self) -> Iterator[str]:
        """Yield the text of each file."""
        block: list[str] = []
        num_characters = 0
        for number, entry in enumerate(self._entries, 1):
            text = self._text(entry)
            block.append(text)
            num_characters += len(text)
            if num_characters >= _BLOCK_CHARACTERS or number == len(self._entries):
                self.chunks.append(pa.array(block, pa.large_string()))
                block, num_characters = [], 0
            yield text
            self._on_progress(number / len(self._entries))

    def guessed(self) -> Iterator[TableWarning]:
        """What to say of files that are not UTF-8."""
        if self._guessed:
            path, encoding = self._guessed[0]
            yield TableWarning(
                code="encoding_guessed",
                message=f"{len(self._guessed):,} files are not UTF-8, the first {path}; it is read as {encoding}.",
                remedy="Save them as UTF-8 if letters with accents look wrong.",
            )

    def _text(self, entry: Entry) -> str:
        content = entry.read()
        plain = _plain(content)
        if plain is not None:
            return plain
        path = self._folder / "text"
        path.write_bytes(content)
        try:
            found = as_utf8(path, self._folder)
        except InvalidDataError as error:
            raise InvalidDataError(
                f"{entry.path}: {error.message}",
                remedy="Save it as plain text in UTF-8, or leave it out.",
                details={**error.details, "file": entry.path},
            ) from None
        text = found.path.read_text("utf-8")
        if found.path != path:
            found.path.unlink()
        if found.warnings:
            self._guessed.append((entry.path, found.encoding))
        return text


def _plain(content: bytes) -> str | None:
    """The text of a file of UTF-8 without anything odd; None for any other."""
    if content.startswith(b"\xef\xbb\xbf") or any(byte in content for byte in _ODD):
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


_ODD: Final = tuple(bytes([code]) for code in (*range(9), *range(14, 27), 28, 29, 30, 31, 127))


def _empty(number: int) -> TableWarning:
    return TableWarning(
        code="texts_empty",
        message=f"{number:,} texts have no word. They are kept, and read as one unknown token.",
        remedy="Leave such rows out if they are there by mistake.",
    )
