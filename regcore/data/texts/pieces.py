"""Pieces of words by byte pair encoding.

Source: Sennrich, Haddow & Birch 2016, Neural machine translation of rare words with subword units. Pairs are of
characters, and a piece is the same inside a word and at its end.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

_SPECIALS: Final = (" padding", " unknown")
"""No word holds a space, so that none is taken for these."""
_FEWEST: Final = 2
"""How often two pieces must stand side by side to become one."""
_AT_ONCE: Final = 10_000


class Pieces:
    """Cuts words into pieces.

    Args:
        token_of: The token of each piece.
        merges: Which two pieces make one, in the order in which that is tried.
    """

    def __init__(self, token_of: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> None:
        from tokenizers import Tokenizer, models

        vocabulary = {piece: token for token, piece in enumerate(_SPECIALS)} | dict(token_of)
        self._tokenizer = Tokenizer(models.BPE(vocabulary, list(merges), unk_token=_SPECIALS[1], fuse_unk=True))

    def tokens(self, word: str) -> list[int]:
        """The tokens of a word; characters that are in no piece become one unknown token together."""
        return list(self._tokenizer.encode(word, add_special_tokens=False).ids)


def learn_pieces(counts: Mapping[str, int], num_tokens: int) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The pieces of words, characters first, and how they are put together.

    Args:
        counts: How often each word occurs.
        num_tokens: The most tokens, those for padding and for the unknown included.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=_SPECIALS[1], fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=num_tokens, min_frequency=_FEWEST, special_tokens=list(_SPECIALS), show_progress=False
    )
    tokenizer.train_from_iterator(_corpus(counts, num_tokens - len(_SPECIALS)), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    pieces = sorted(model["vocab"], key=lambda piece: int(model["vocab"][piece]))[len(_SPECIALS) :]
    return tuple(pieces), tuple((left, right) for left, right in model["merges"])


def _corpus(counts: Mapping[str, int], most_characters: int) -> Iterator[str]:
    """Each word as often as it occurs; rarer characters than there is room for are left out.

    The library leaves them out too, but among equally frequent ones in no fixed order.
    """
    frequency: Counter[str] = Counter()
    for word, count in counts.items():
        for character in word:
            frequency[character] += count
    ranked = sorted(frequency, key=lambda character: (-frequency[character], character))
    without = dict.fromkeys(map(ord, ranked[most_characters:]), " ")
    for word, count in counts.items():
        plain = word.translate(without) if without else word
        for begin in range(0, count, _AT_ONCE):
            yield " ".join([plain] * min(_AT_ONCE, count - begin))
