import numpy as np

from regcore.data.texts.odd_rows import OddRows

NONE = np.zeros(5, bool)


def test_rows_are_counted_and_the_first_is_named():
    odd = OddRows(np.array([False, True, False, False, True]), NONE, np.array([True, *NONE[1:]]), 4)

    assert odd.notes() == [
        "Each of 2 rows (the first is row 2) has no word, and is read as one unknown token.",
        "Row 1 is longer than 4 tokens, and is cut there.",
    ]
    assert [doubt.message.partition(":")[0] for doubt in odd.doubts()] == ["2 of 5 texts", "1 of 5 texts"]


def test_nothing_is_said_of_ordinary_rows():
    assert OddRows(NONE, NONE, NONE, 4).notes() == []
