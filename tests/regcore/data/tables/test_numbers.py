"""Numbers in people's spellings."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regcore.data.tables.numbers import (
    COMMA,
    COMMA_AND_POINTS,
    CONVENTIONS,
    POINT,
    POINT_AND_COMMAS,
    Choice,
    Convention,
    find_convention,
    loses_spelling,
    parse_numbers,
)


def choice_of(*cells: str) -> Choice:
    return find_convention(pa.array(cells), np.ones(len(cells), np.int64))


@pytest.mark.parametrize(
    ("cells", "convention", "numbers"),
    [
        (["1", "-2.5", "+3", ".5", "4.", "1e-3", "2E+2"], POINT, [1, -2.5, 3, 0.5, 4, 1e-3, 200]),
        (["0,5", "1,25e2", "3"], COMMA, [0.5, 125, 3]),
        (["1,234.5", "1,234,567", "8"], POINT_AND_COMMAS, [1234.5, 1234567, 8]),
        (["1.234,5", "1.234.567", "8"], COMMA_AND_POINTS, [1234.5, 1234567, 8]),
        (["1 234.5", "-12 345", "8"], Convention(".", " "), [1234.5, -12345, 8]),
        (["1 234,5", "8"], Convention(",", " "), [1234.5, 8]),
        (["1'234.5", "8"], Convention(".", "'"), [1234.5, 8]),
        (["1\u00a0234,5", "8"], Convention(",", "\u00a0"), [1234.5, 8]),
        (["1\u202f234,5", "8"], Convention(",", "\u202f"), [1234.5, 8]),
        (["\u22125", "2"], POINT, [-5, 2]),
    ],
    ids=str,
)
def test_each_convention_is_found_and_read(cells: list[str], convention: Convention, numbers: list[float]) -> None:
    assert choice_of(*cells).best == convention
    assert parse_numbers(pa.array(cells), convention).to_pylist() == numbers


@pytest.mark.parametrize(
    ("cells", "other"),
    [
        (["1,234", "5"], POINT_AND_COMMAS),
        (["1.234", "5"], COMMA_AND_POINTS),
        (["1,234", "5,5"], None),
        (["0,123"], None),
        (["1.234", "0.5"], None),
        (["1,234,567"], None),
        (["12", "5"], None),
    ],
    ids=str,
)
def test_numbers_that_could_be_fractions_or_thousands_are_known(cells: list[str], other: Convention | None) -> None:
    assert choice_of(*cells).other == other


@pytest.mark.parametrize(
    "text",
    ["", "x", "1_000", "0x1F", "1e", "--1", "1,23,4", "1 23", "inf", "nan", "5E390", "12%", "1.2.3", "NA", "\u0663"],
)
@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
def test_what_is_no_number_stays_none(text: str, convention: Convention) -> None:
    assert parse_numbers(pa.array([text]), convention).to_pylist() == [None]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_pythons_to_the_bit(number: float) -> None:
    (read,) = parse_numbers(pa.array([repr(number)]), POINT).to_pylist()

    assert math.copysign(1, read) == math.copysign(1, number)
    assert read == number


@pytest.mark.parametrize(
    ("text", "loses"),
    [
        ("01234", True),
        ("-007", True),
        ("9007199254740993", True),
        ("123456789012345678901", True),
        ("1e-400", True),
        ("0", False),
        ("0.5", False),
        ("-0.0", False),
        ("+5", False),
        ("9007199254740991", False),
        ("1e300", False),
        ("0.12345678901234567890", False),
    ],
)
def test_numbers_that_are_more_than_their_value_are_known(text: str, loses: bool) -> None:
    texts = pa.array([text])

    assert loses_spelling(texts, parse_numbers(texts, POINT), POINT).to_pylist() == [loses]
