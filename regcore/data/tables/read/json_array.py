"""One JSON array, read value by value: it may be a single line of any length."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

_PIECE_CHARACTERS: Final = 1_000_000
_BLANKS: Final = " \t\r\n"


class ValueTooLongError(ValueError):
    """A value of the array is longer than allowed."""


def values_of_array(
    read: Callable[[int], str], decode: Callable[[str, int], tuple[Any, int]], max_characters: int
) -> Iterator[tuple[Any, int]]:
    """Each value of the array, with its length in characters.

    Args:
        read: Gives at most so many characters more; none at the end.
        decode: Reads the value that begins at a place of a text, and says where it ends.
        max_characters: Of one value.

    Raises:
        ValueTooLongError: A value is longer.
        ValueError: The text is not one array, or `decode` raised it.
    """
    window = _Window(read)
    window.take("[", "an array begins")
    if window.look() == "]":
        window.take("]", "it ends")
    else:
        while True:
            yield window.value(decode, max_characters)
            if window.look() == "]":
                window.take("]", "it ends")
                break
            window.take(",", "the array goes on")
    if window.look():
        raise json.JSONDecodeError("Nothing was expected after the array", window.text, window.start)


class _Window:
    """The part of the text that was read and is not yet used."""

    def __init__(self, read: Callable[[int], str]) -> None:
        self._read = read
        self.text = ""
        self.start = 0

    def look(self) -> str:
        """The next character that is no blank; empty at the end."""
        while True:
            while self.start < len(self.text) and self.text[self.start] in _BLANKS:
                self.start += 1
            if self.start < len(self.text):
                return self.text[self.start]
            if not self._more(_PIECE_CHARACTERS):
                return ""

    def take(self, character: str, why: str) -> None:
        if self.look() != character:
            raise json.JSONDecodeError(f"Expected {character!r}, where {why}", self.text, self.start)
        self.start += 1

    def value(self, decode: Callable[[str, int], tuple[Any, int]], max_characters: int) -> tuple[Any, int]:
        self.look()
        while True:
            try:
                value, end = decode(self.text, self.start)
            except json.JSONDecodeError:
                # Either it is wrong, or its end has not been read yet.
                if len(self.text) - self.start > max_characters:
                    raise ValueTooLongError from None
                if not self._more(max(_PIECE_CHARACTERS, len(self.text) - self.start)):
                    raise
                continue
            length, self.start = end - self.start, end
            return value, length

    def _more(self, num_characters: int) -> bool:
        piece = self._read(num_characters)
        self.text, self.start = self.text[self.start :] + piece, 0
        return bool(piece)
