"""The encoding of a text file, and the same text as UTF-8."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

from regcore.data.tables.facts import TableWarning
from regcore.errors import InvalidDataError

_BLOCK_BYTES: Final = 1 << 20
_START_BYTES: Final = 1 << 16
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAMES: Final = {"utf-8-sig": "utf-8", "cp1252": "windows-1252", "utf-16-le": "utf-16", "utf-16-be": "utf-16"}
_CONTROLS: Final = re.compile(rb"[\x01-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_MOST_CONTROLS: Final = 0.03
"""Share of control characters from which bytes are not text: random ones have a tenth."""
_FEWEST_CONTROLS: Final = 8
"""As many can stand in a short text by mistake."""
_UTF16_ZEROS: Final = 0.4
"""Share of the bytes at even or odd places that are zero in UTF-16 of mostly Latin letters; half of this in others."""


@dataclass(frozen=True)
class Utf8Text:
    """A text file in UTF-8, without a byte order mark.

    Attributes:
        path: The file itself, or a copy.
        encoding: Of the file that was given.
        warnings: What was guessed.
    """

    path: Path
    encoding: str
    warnings: list[TableWarning] = field(default_factory=list)


def as_utf8(path: Path, folder: Path) -> Utf8Text:
    """Find how a text file is encoded, and decode it unless it is UTF-8 already.

    Args:
        path: The file.
        folder: Where a copy may be written.

    Raises:
        InvalidDataError: It is not text, or its encoding changes within it.
    """
    with path.open("rb") as stream:
        start = stream.read(_START_BYTES)
    codec = next((codec for bom, codec in _BOMS if start.startswith(bom)), None) or _utf16_without_mark(start)
    if codec is None:
        _refuse_binary(start)
        wrong = _first_wrong_byte(path)
        if wrong is None:
            return Utf8Text(path, "utf-8")
        codec = _eight_bits(path)
        return Utf8Text(_decoded(path, codec, folder), _NAMES.get(codec, codec), [_guessed(codec, wrong)])
    return Utf8Text(_decoded(path, codec, folder), _NAMES.get(codec, codec))


@dataclass(frozen=True)
class _WrongByte:
    value: int
    line: int


def _refuse_binary(start: bytes) -> None:
    if len(_CONTROLS.findall(start)) > max(_FEWEST_CONTROLS, _MOST_CONTROLS * len(start)):
        raise InvalidDataError("It is not text: many of its bytes are control characters.", remedy=_BINARY_REMEDY)


_BINARY_REMEDY: Final = "Save the table as CSV in UTF-8, or send Parquet, JSONL or NPZ under its own name."


def _utf16_without_mark(start: bytes) -> str | None:
    zeros = [start[place::2].count(0) / max(1, len(start) // 2) for place in (0, 1)]
    if zeros[1] >= _UTF16_ZEROS and zeros[0] < _UTF16_ZEROS / 20:
        return "utf-16-le"
    if zeros[0] >= _UTF16_ZEROS and zeros[1] < _UTF16_ZEROS / 20:
        return "utf-16-be"
    return None


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            yield block


def _first_wrong_byte(path: Path) -> _WrongByte | None:
    """The first byte that is not of UTF-8; None if all are.

    Raises:
        InvalidDataError: There is a zero byte, or the text has letters of UTF-8 before.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, is_ascii = 1, True
    for block in chain(_blocks(path), [b""]):
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            before, wrong = error.object[: error.start], error.object[error.start]
            line += before.count(b"\n")
            if is_ascii and before.isascii():
                return _WrongByte(wrong, line)
            raise InvalidDataError(
                f"It is UTF-8 up to line {line:,}, where the byte 0x{wrong:02x} is not.",
                remedy="Save the whole file in one encoding, best in UTF-8.",
                details={"line": line},
            ) from None
        if "\0" in text:
            raise _with_zero(line + text[: text.index("\0")].count("\n"))
        line += text.count("\n")
        is_ascii = is_ascii and text.isascii()
    return None


def _with_zero(line: int) -> InvalidDataError:
    return InvalidDataError(
        f"It is not text: there is a zero byte in line {line:,}.", remedy=_BINARY_REMEDY, details={"line": line}
    )


def _eight_bits(path: Path) -> str:
    """Latin-1, or Windows' extension of it if there are bytes that mean letters only there."""
    used = {byte for block in _blocks(path) for byte in set(block) if 0x80 <= byte <= 0x9F}
    return "cp1252" if used and not used & _NOT_IN_CP1252 else "latin-1"


_NOT_IN_CP1252: Final = frozenset({0x81, 0x8D, 0x8F, 0x90, 0x9D})


def _guessed(codec: str, wrong: _WrongByte) -> TableWarning:
    name = _NAMES.get(codec, codec)
    return TableWarning(
        code="encoding_guessed",
        message=f"The file is not UTF-8 (byte 0x{wrong.value:02x} in line {wrong.line:,}); it is read as {name}.",
        remedy="Save it as UTF-8 if letters with accents look wrong.",
    )


def _decoded(path: Path, codec: str, folder: Path) -> Path:
    """A copy in UTF-8.

    Raises:
        InvalidDataError: The file is not in this encoding, or holds the character NUL.
    """
    decoder = codecs.getincrementaldecoder(codec)()
    target, line = folder / "decoded", 1
    with target.open("x", encoding="utf-8", newline="") as stream:
        for block in chain(_blocks(path), [b""]):
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                raise InvalidDataError(
                    f"It begins as {_NAMES.get(codec, codec)}, and is not from line {line:,} on: {error.reason}.",
                    remedy="Save the whole file in one encoding, best in UTF-8.",
                    details={"line": line},
                ) from None
            if "\0" in text:
                raise _with_zero(line + text[: text.index("\0")].count("\n"))
            line += text.count("\n")
            stream.write(text)
    return target
