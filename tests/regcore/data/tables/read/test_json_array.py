"""A JSON array, read value by value."""

import io
import json
from typing import Any

import pytest

from regcore.data.tables.read.json_array import ValueTooLongError, values_of_array

DECODE = json.JSONDecoder().raw_decode


def _values(text: str, piece: int) -> list[Any]:
    stream = io.StringIO(text)
    read = values_of_array(lambda length: stream.read(min(length, piece)), DECODE, 1_000)
    return [value for value, _ in read]


@pytest.mark.parametrize("piece", [1, 2, 7, 1_000])
def test_values_do_not_depend_on_where_the_text_is_cut(piece: int) -> None:
    rows = [{"a": 1}, {"b": "]}, [{"}, {}, {"c": [1, {"d": None}]}]
    text = " \n[ " + " ,\t".join(map(json.dumps, rows)) + " ] \r\n"

    assert _values(text, piece) == rows


@pytest.mark.parametrize("text", ["[]", " [ \n ] "])
def test_an_empty_array_has_no_values(text: str) -> None:
    assert _values(text, 1) == []


@pytest.mark.parametrize("text", ["", "{", "[", '[{"a": 1}', "[{}{}]", "[{},]", "[{}]]", "[,{}]"])
def test_what_is_no_array_is_refused(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        _values(text, 3)


def test_a_long_value_is_refused_before_all_of_it_is_read() -> None:
    stream = io.StringIO('["' + "x" * 100_000)

    with pytest.raises(ValueTooLongError):
        list(values_of_array(lambda length: stream.read(min(length, 100)), DECODE, 1_000))

    assert stream.tell() < 5_000


def test_the_length_of_each_value_is_given() -> None:
    stream = io.StringIO('[{"a": 1}, {}]')

    assert [length for _, length in values_of_array(stream.read, DECODE, 1_000)] == [8, 2]
