"""Texts as words and marks, and words in the form in which they are told apart."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tokenizers.normalizers import Normalizer
    from tokenizers.pre_tokenizers import PreTokenizer

_WITHOUT_SPACES: Final = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
"""Scripts that put no spaces between words: each of their characters is a word."""
_LETTER: Final = rf"[[\p{{L}}\p{{N}}_]&&[^{_WITHOUT_SPACES}]]"
_WORD: Final = rf"{_LETTER}(?:{_LETTER}|[\p{{M}}\x{{200c}}\x{{200d}}])*"
_PATTERN: Final = rf"{_WORD}(?:['’]{_WORD})*|(?!\s)\X"
"""A word, with the marks on its letters and apostrophes inside it; else one character as people see it, such as an
emoji of several code points."""
_CHUNK: Final = re.compile(r"\S+")
_MAX_KNOWN: Final = 200_000
_MAX_KNOWN_CHARACTERS: Final = 64
_LONG_TEXT: Final = 1_000_000
"""From so many characters on, a text is walked through and never held as a list of its parts."""


class WordSplitter:
    """Splits texts, and remembers how: most parts of a text stand in others too.

    No word reaches over a space, so that parts between spaces are split by themselves.

    Args:
        lowercase: Whether `The` and `the` are one word.
    """

    def __init__(self, *, lowercase: bool) -> None:
        self._normalize = _normalizer(lowercase=lowercase)
        self._split = _pre_tokenizer()
        self._known: dict[str, tuple[str, ...]] = {}

    def words(self, text: str) -> Iterator[str]:
        """Its words and marks, in composed form (NFC)."""
        known = self._known
        for chunk in chunks_of(text):
            yield from known.get(chunk) or self._of_chunk(chunk)

    def _of_chunk(self, chunk: str) -> Sequence[str]:
        normal = self._normalize.normalize_str(chunk)
        words = tuple(word for word, _ in self._split.pre_tokenize_str(normal))
        if len(chunk) <= _MAX_KNOWN_CHARACTERS:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[chunk] = words
        return words


def chunks_of(text: str) -> Iterator[str]:
    """The parts of a text between spaces."""
    if len(text) < _LONG_TEXT:
        return iter(text.split())
    return (match.group() for match in _CHUNK.finditer(text))


@cache
def _normalizer(*, lowercase: bool) -> Normalizer:
    _stay_on_one_thread()
    from tokenizers import normalizers

    return normalizers.Sequence([normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])])


@cache
def _pre_tokenizer() -> PreTokenizer:
    _stay_on_one_thread()
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Split(Regex(_PATTERN), "removed", invert=True)


def _stay_on_one_thread() -> None:
    """Its threads would not survive the fork of a runner, and a confined reader may start none."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
