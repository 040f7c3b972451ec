import unicodedata

import pytest

from regcore.data.texts.words import WordSplitter, chunks_of


def words_of(text, *, lowercase=True):
    return list(WordSplitter(lowercase=lowercase).words(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop, it's 3.14!!", ["don't", "stop", ",", "it's", "3", ".", "14", "!", "!"]),
        ("a-b x_1 l’été", ["a", "-", "b", "x_1", "l’été"]),
        ("हिन्दी में नमस्ते", ["हिन्दी", "में", "नमस्ते"]),
        ("👩‍👩‍👧 🇩🇪🇫🇷 👍🏽😀😀", ["👩‍👩‍👧", "🇩🇪", "🇫🇷", "👍🏽", "😀", "😀"]),
        ("我喜欢你 สวัสดี", ["我", "喜", "欢", "你", "ส", "วั", "ส", "ดี"]),
        ("", []),
        (" \r\n\t\u00a0 ", []),
    ],
    ids=["marks", "joined", "vowel signs", "emoji", "no spaces", "empty", "spaces"],
)
def test_a_text_is_split_into_words_and_marks(text, words):
    assert words_of(text) == words


def test_composed_and_combining_letters_are_one_word():
    composed, combining = "café naïve", unicodedata.normalize("NFD", "Café Naïve")

    assert composed != combining.lower()
    assert words_of(composed) == words_of(combining) == ["café", "naïve"]


def test_upper_case_is_kept_where_it_is_asked_for():
    assert words_of("The END", lowercase=False) == ["The", "END"]


def test_what_was_split_before_is_split_the_same_again():
    splitter = WordSplitter(lowercase=True)

    first, again = list(splitter.words("It's me, it's me")), list(splitter.words("It's me, it's me"))

    assert first == again == ["it's", "me", ",", "it's", "me"]


def test_a_very_long_text_has_the_same_parts():
    text = "some words\u00a0and more\n" * 60_000

    assert list(chunks_of(text)) == text.split()
