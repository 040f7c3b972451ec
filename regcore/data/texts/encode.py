"""From texts to tokens, by a vocabulary that was learned from the train rows and is kept in `model.json`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np

from regcore.data.encoded import Columns, Encoded
from regcore.data.texts.facts import texts_of
from regcore.data.texts.odd_rows import OddRows
from regcore.data.texts.pieces import Pieces
from regcore.data.texts.words import WordSplitter, chunks_of
from regcore.shapes import RowInfo

UNKNOWN: Final = 1
"""The token of what is in no vocabulary; 0 is padding, and the vocabulary's begin at 2."""
NUM_SPECIALS: Final = 2
_MAX_KNOWN: Final = 200_000
_MAX_KNOWN_CHARACTERS: Final = 64


@dataclass(frozen=True)
class TextPreprocessing:
    """One column of text as tokens: 0 is padding, 1 what is unknown, 2 the first of the vocabulary.

    Attributes:
        column: Its name.
        row: (steps,) of tokens; the vocabulary may have fewer.
        lowercase: Whether `The` and `the` are one word.
        vocabulary: Words, or pieces of words, the most frequent first.
        merges: For pieces: which two make one, in the order in which that is tried; None for whole words.
        given: All columns of the rows that were given, the target left out: rows without names may have these.
        target: The column that is predicted, which rows may hold too.
    """

    column: str
    row: RowInfo
    lowercase: bool
    vocabulary: tuple[str, ...]
    merges: tuple[tuple[str, str], ...] | None = None
    given: tuple[str, ...] = ()
    target: str | None = None
    kind: Literal["text"] = field(default="text", init=False)

    @property
    def is_fitted(self) -> bool:
        """The vocabulary is."""
        return True

    @property
    def layout(self) -> tuple[Any, ...]:
        """Which token stands for which word."""
        return self.kind, self.row, self.lowercase, self.vocabulary, self.merges

    @property
    def scaling(self) -> None:
        """Tokens are not scaled."""

    def encode(self, columns: Columns, dtype: Any) -> Encoded:
        """Rows of tokens, padded with 0, as int64. A text without any word becomes one unknown token."""
        texts = columns[self.column]
        most = self.row.shape[0]
        x = np.zeros((len(texts), most), np.int64)
        lengths = np.ones(len(texts), np.int64)
        is_empty, is_cut = np.zeros(len(texts), bool), np.zeros(len(texts), bool)
        for number, text in enumerate(texts_of(texts)):
            tokens = self._tokenizer.tokens(text, most + 1)
            is_empty[number], is_cut[number] = not tokens, len(tokens) > most
            tokens = tokens[:most] or [UNKNOWN]
            x[number, : len(tokens)], lengths[number] = tokens, len(tokens)
        is_known = (x > UNKNOWN).any(axis=1)
        odd = OddRows(is_empty, ~is_known & ~is_empty, is_cut, most)
        return Encoded(x, lengths, odd.notes(), odd.doubts(), int(is_known.sum()))

    @cached_property
    def _tokenizer(self) -> "_Tokenizer":
        return _Tokenizer(self)

    def to_json(self) -> dict[str, Any]:
        """As `preprocessing` in `model.json`."""
        return {
            "kind": self.kind,
            "feature_shape": list(self.row.shape),
            "tokens": self.row.tokens,
            "columns": [{"name": self.column, "type": "text"}],
            "tokenizer": "words" if self.merges is None else "bpe",
            "lowercase": self.lowercase,
            "vocabulary": list(self.vocabulary),
            "merges": None if self.merges is None else [list(pair) for pair in self.merges],
            "given_columns": list(self.given),
            "target": self.target,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "TextPreprocessing":
        """The inverse of `to_json`."""
        return cls(
            column=body["columns"][0]["name"],
            row=RowInfo(tuple(body["feature_shape"]), body["tokens"], varies=True),
            lowercase=body["lowercase"],
            vocabulary=tuple(body["vocabulary"]),
            merges=None if body["merges"] is None else tuple((left, right) for left, right in body["merges"]),
            given=tuple(body["given_columns"]),
            target=body["target"],
        )


class _Tokenizer:
    """Finds the tokens of texts, and remembers those of the parts between spaces.

    Args:
        fitted: What was learned.
    """

    def __init__(self, fitted: TextPreprocessing) -> None:
        self._splitter = WordSplitter(lowercase=fitted.lowercase)
        self._of_word = {word: NUM_SPECIALS + place for place, word in enumerate(fitted.vocabulary)}
        self._pieces = None if fitted.merges is None else Pieces(self._of_word, fitted.merges)
        self._known: dict[str, list[int]] = {}

    def tokens(self, text: str, most: int) -> list[int]:
        """The first tokens of a text, at most so many."""
        known, tokens = self._known, list[int]()
        for chunk in chunks_of(text):
            tokens += known.get(chunk) or self._of_chunk(chunk)
            if len(tokens) >= most:
                return tokens[:most]
        return tokens

    def _of_chunk(self, chunk: str) -> list[int]:
        tokens = list(self._of_words(self._splitter.words(chunk)))
        if len(chunk) <= _MAX_KNOWN_CHARACTERS:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[chunk] = tokens
        return tokens

    def _of_words(self, words: Iterable[str]) -> Iterable[int]:
        if self._pieces is None:
            return (self._of_word.get(word, UNKNOWN) for word in words)
        return (token for word in words for token in self._pieces.tokens(word))
