"""Words for no value, no and yes."""

import pytest

from regcore.data.tables.words import BOOLEAN_WORDS, GAP_WORDS, INFINITY_WORDS, is_gap, is_no_label


@pytest.mark.parametrize("text", ["", "  ", "NA", "n/a", "NULL", "None", "?", "-", "NaN", "#N/A", "\\N", " na "])
def test_words_for_no_value_are_gaps_in_any_case(text: str) -> None:
    assert is_gap(text)


@pytest.mark.parametrize("text", ["0", "no", "nope", "--1", "inf", "Namibia", "?!"])
def test_other_words_are_none(text: str) -> None:
    assert not is_gap(text)


@pytest.mark.parametrize("text", ["", "NA", "inf", " -Infinity "])
def test_gaps_and_infinities_name_no_class(text: str) -> None:
    assert is_no_label(text)
    assert not is_no_label(f"{text}x")


def test_no_word_has_two_meanings() -> None:
    booleans = [word for pair in BOOLEAN_WORDS for word in pair]

    assert len(booleans) == len(set(booleans))
    assert not {*booleans, *INFINITY_WORDS} & GAP_WORDS
