from collections import Counter
from itertools import pairwise

from regcore.data.texts.pieces import Pieces, learn_pieces

COUNTS = Counter({"low": 5, "lower": 2, "newest": 6, "widest": 3})
"""The example of Sennrich, Haddow & Birch 2016, figure 1."""


def merges_of(counts: dict[str, int], number: int) -> list[tuple[str, str]]:
    """Byte pair encoding as the paper writes it down, ties broken as the library does: by the order of the pieces."""
    words = {tuple(word): count for word, count in counts.items()}
    places = {piece: place for place, piece in enumerate(sorted({character for word in words for character in word}))}
    merges = []
    for _ in range(number):
        pairs: Counter[tuple[str, str]] = Counter()
        for word, count in words.items():
            for pair in pairwise(word):
                pairs[pair] += count
        best = min(pairs, key=lambda pair: (-pairs[pair], places[pair[0]], places[pair[1]]))
        merges.append(best)
        places.setdefault("".join(best), len(places))
        joined = {}
        for word, count in words.items():
            made: list[str] = []
            for piece in word:
                if made and (made[-1], piece) == best:
                    made[-1] += piece
                else:
                    made.append(piece)
            joined[tuple(made)] = count
        words = joined
    return merges


def test_the_pairs_that_are_joined_are_those_of_the_paper():
    pieces, merges = learn_pieces(COUNTS, 2 + len(set("".join(COUNTS))) + 6)

    assert list(merges) == merges_of(COUNTS, 6)
    assert pieces[: -len(merges)] == tuple(sorted(set("".join(COUNTS))))
    assert pieces[-len(merges) :] == tuple(left + right for left, right in merges)


def test_words_are_cut_into_pieces_that_make_them_up_again():
    pieces, merges = learn_pieces(COUNTS, 20)
    token_of = {piece: 2 + place for place, piece in enumerate(pieces)}
    cut = Pieces(token_of, merges)

    assert "".join(pieces[token - 2] for token in cut.tokens("lowest")) == "lowest"
    assert cut.tokens("xyz") == [1]


def test_the_order_of_words_does_not_matter_also_where_rare_characters_are_left_out():
    counts = {f"{chr(97 + n % 26)}{chr(97 + n * 7 % 26)}o": 2 for n in range(60)}

    found = {learn_pieces(dict(sorted(counts.items(), reverse=turn)), 16) for turn in (False, True)}

    assert len(found) == 1
    ((pieces, _),) = found
    assert len(pieces) == 14
    assert {"o", "a"} <= set(pieces)
