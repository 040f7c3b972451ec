"""What is learned from the train rows of a column of text: its vocabulary."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from regcore.data.features import TextFeatures
from regcore.data.texts.encode import NUM_SPECIALS, TextPreprocessing
from regcore.data.texts.facts import texts_of
from regcore.data.texts.pieces import learn_pieces
from regcore.data.texts.words import WordSplitter
from regcore.shapes import RowInfo


def fit_texts(
    train: Any, features: TextFeatures, row: RowInfo, *, given: Sequence[str], target: str | None
) -> TextPreprocessing:
    """Fit on the train rows alone.

    Args:
        train: The texts of the train rows, an Arrow column.
        features: How they become tokens; its `column` is set.
        row: What the network gets; it has room for so many tokens.
        given: All columns of the rows that were given, the target left out.
        target: The target's column; None if it has no name.
    """
    assert features.column is not None, "choose_texts settles it"
    assert row.tokens is not None, "texts become tokens"
    splitter = WordSplitter(lowercase=features.lowercase)
    counts: Counter[str] = Counter()
    for text in texts_of(train):
        counts.update(splitter.words(text))
    merges = None
    if features.tokenizer == "words":
        vocabulary = tuple(sorted(counts, key=lambda word: (-counts[word], word))[: row.tokens - NUM_SPECIALS])
    else:
        vocabulary, merges = learn_pieces(counts, row.tokens)
    return TextPreprocessing(features.column, row, features.lowercase, vocabulary, merges, tuple(given), target)
