from xml.etree import ElementTree

import pytest

from regcore.pictures.text import ELLIPSIS, cleaned, fitted, rows_in_words, text_width, xml

FAMILY = "👩‍👩‍👧‍👦"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tab\tand\nline", "tab and line"),
        ("bell\x07 nul\x00", "bell\ufffd nul\ufffd"),
        ("half \ud83d of a pair", "half \ufffd of a pair"),
        ("\u202eturned\u2066", "turned"),
        ("  ", "(empty)"),
        ("naïve 日本 قطة", "naïve 日本 قطة"),
    ],
)
def test_a_label_becomes_one_line_that_xml_may_hold(text: str, expected: str) -> None:
    assert cleaned(text) == expected


def test_every_character_comes_back_from_an_element_and_an_attribute() -> None:
    label = "".join(chr(code) for code in range(0x20, 0x7F)) + "é日👍"

    parsed = ElementTree.fromstring(f'<a b="{xml(label)}">{xml(label)}</a>')  # noqa: S314 # written here

    assert (parsed.text, parsed.get("b")) == (label, label)


def test_a_text_that_fits_is_whole_and_another_is_cut_to_the_width() -> None:
    assert fitted("short", 100, 12) == "short"
    cut = fitted("a very long label " * 10, 100, 12)
    assert cut.endswith(ELLIPSIS)
    assert 80 < text_width(cut, 12) <= 100


@pytest.mark.parametrize("one", [FAMILY, "🇨🇭", "e\u0301", "👍🏽"], ids=["joined", "flag", "mark", "tone"])
def test_what_is_seen_as_one_character_is_not_cut(one: str) -> None:
    cut = fitted(one * 50, 100, 12)

    assert cut == one * cut.count(one) + ELLIPSIS
    assert cut.count(one) > 3


def test_wide_characters_take_more_room() -> None:
    assert text_width("iii", 10) < text_width("nnn", 10) < text_width("WWW", 10) < text_width("日本語", 10)
    assert text_width(FAMILY, 10) == text_width("👩", 10)


def test_rows_are_counted_in_words() -> None:
    assert [rows_in_words(count) for count in (0, 1, 1200)] == ["0 rows", "1 row", "1,200 rows"]
