import pyarrow as pa

from regcore.data.features import TextFeatures
from regcore.data.texts.fit import fit_texts
from regcore.shapes import RowInfo


def vocabulary_of(texts, tokens=32, **features):
    row = RowInfo((8,), tokens, varies=True)
    return fit_texts(pa.array(texts), TextFeatures(column="t", **features), row, given=["t"], target=None).vocabulary


def test_words_come_by_frequency_and_then_by_their_spelling():
    assert vocabulary_of(["b a c", "C B", None, "b d"]) == ("b", "c", "a", "d")


def test_a_vocabulary_has_room_for_padding_and_the_unknown():
    assert vocabulary_of(["b b b a a c"], tokens=4) == ("b", "a")


def test_pieces_are_no_more_than_there_is_room_for():
    assert len(vocabulary_of(["banana bandana"] * 9, tokens=9, tokenizer="bpe")) == 7
