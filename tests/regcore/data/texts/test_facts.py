import pyarrow as pa

from regcore.data.texts.facts import facts_of_texts, has_several_words, texts_of


def test_the_facts_count_words_with_and_without_case():
    found = facts_of_texts(["The end, the END.", "Ärger 😀", ""], num_empty=2)

    assert found.num_words == len({"The", "end", ",", "the", "END", ".", "Ärger", "😀"})
    assert found.num_lowercase_words == len({"the", "end", ",", ".", "ärger", "😀"})
    assert found.num_characters == 3 + 3 + 1 + 3 + 3 + 1 + 5 + 1
    assert (found.max_words, found.max_bytes, found.num_empty) == (6, 17, 3)


def test_texts_have_several_words_where_half_of_them_do():
    assert has_several_words(pa.chunked_array([["two words", "one"]]))
    assert has_several_words(pa.chunked_array([["我喜欢你们"]]))
    assert not has_several_words(pa.chunked_array([["AX-13", "B/9", "two words"]]))
    assert not has_several_words(pa.chunked_array([[]], pa.string()))


def test_gaps_are_empty_texts():
    assert list(texts_of(pa.chunked_array([["a"], [None, "b"]]))) == ["a", "", "b"]
