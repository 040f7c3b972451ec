"""The facts of a column of text: enough to know the shape of its rows for any spec."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from regcore.data.media_facts import TextFacts
from regcore.data.texts.words import WordSplitter

MAX_WORDS: Final = 1_000_000
"""Distinct words are counted up to here: no vocabulary may be larger."""
_BLOCK_TEXTS: Final = 10_000
_SEVERAL_WORDS: Final = r"\S\s+\S|[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]{4}"
"""Two words, or four characters of a script without spaces."""


def facts_of_texts(texts: Iterable[str], *, num_empty: int = 0) -> TextFacts:
    """The facts of texts; repeated ones may be left out.

    Args:
        texts: Each once or more often.
        num_empty: Empty ones that were left out.
    """
    splitter = WordSplitter(lowercase=False)
    words: set[str] = set()
    max_words = max_bytes = 0
    for text in texts:
        num_words = 0
        for word in splitter.words(text):
            num_words += 1
            if len(words) < MAX_WORDS:
                words.add(word)
        num_empty += num_words == 0
        max_words = max(max_words, num_words)
        max_bytes = max(max_bytes, len(text.encode("utf-8", "surrogatepass")))
    lower = WordSplitter(lowercase=True)
    return TextFacts(
        num_words=len(words),
        num_lowercase_words=len({small for word in words for small in lower.words(word)}),
        num_characters=sum(map(len, words)),
        max_words=max_words,
        max_bytes=max_bytes,
        num_empty=num_empty,
    )


def has_several_words(cells: Any) -> bool:
    """Whether at least half of these cells, an Arrow array of text, have several words."""
    if not len(cells):
        return False
    several = pc.sum(pc.match_substring_regex(cells, _SEVERAL_WORDS)).as_py() or 0
    return bool(several * 2 >= len(cells))


def texts_of(cells: Any) -> Iterator[str]:
    """The cells of a column one by one, "" for a gap."""
    chunked = pa.chunked_array([cells]) if isinstance(cells, pa.Array) else cells
    for begin in range(0, len(chunked), _BLOCK_TEXTS):
        for cell in chunked.slice(begin, _BLOCK_TEXTS).to_pylist():
            yield cell or ""
