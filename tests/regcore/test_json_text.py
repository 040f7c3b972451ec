import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regcore.errors import MAX_ERRORS, JsonSyntaxError, JsonValueError
from regcore.json_text import MAX_DEPTH, MAX_DIGITS, read_json

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@given(JSON, st.booleans(), st.booleans())
def test_all_json_that_can_be_kept_comes_back_as_it_was(value: Any, ensure_ascii: bool, has_mark: bool) -> None:
    text = json.dumps(value, ensure_ascii=ensure_ascii)

    assert read_json(text.encode("utf-8-sig" if has_mark else "utf-8")) == value


@pytest.mark.parametrize(
    ("content", "said", "pointer"),
    [
        (b"", "It is empty", ""),
        (b" \n\t", "It is empty", ""),
        (b"\xef\xbb\xbf", "It is empty", ""),
        (b'{"a": 1,}', "line 1, column 9, before '}'", ""),
        (b'{"a": 1', "where it ends", ""),
        (b"{'a': 1}", "double quotes at line 1, column 2", ""),
        (b'{"a": 1}\n{"a": 2}', "Extra data at line 2, column 1", ""),
        (b'{"a": .5}', "line 1, column 7", ""),
        (b'{"a": 01}', "line 1, column 8", ""),
        (b'{"a": "\t"}', "Invalid control character", ""),
        (b'{"name": "caf\xe9"}', "Byte 14, 0xe9, is not UTF-8", ""),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "line 1, column 1", ""),
        ('{"a": 1}'.encode("utf-16"), "encoded in UTF-16", ""),
        ('{"a": 1}'.encode("utf-16-be"), "encoded in UTF-16", ""),
        ('{"a": 1}'.encode("utf-32"), "encoded in UTF-32", ""),
        (b'{"a": 1, "b": 2, "a": 1}', "'a' comes twice in one object", ""),
        (b'{"training": {"epochs": 1, "epochs": 3}}', "'epochs' comes twice in training", "/training"),
        (b'{"l": [0, {"kind": "l1", "kind": "l2"}]}', "'kind' comes twice in l.1", "/l/1"),
        (b'{"a": 1, "\\u0061": 2}', "'a' comes twice", ""),
        (b'{"a": ' + b"1" * (MAX_DIGITS + 1) + b"}", "309 digits", ""),
        (b"[-" + b"1" * 5000 + b"]", "5,000 digits", ""),
        (b"[" * 100_000, "nested too deeply", ""),
        (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), "nested too deeply", ""),
    ],
    ids=lambda value: value[:24].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_what_is_not_json_is_refused_with_its_place(content: bytes, said: str, pointer: str) -> None:
    with pytest.raises(JsonSyntaxError) as caught:
        read_json(content)

    assert said in str(caught.value)
    assert caught.value.pointer == pointer


def test_nesting_and_digits_are_taken_up_to_their_limits() -> None:
    number = b"9" * MAX_DIGITS
    value = read_json(b"[" * MAX_DEPTH + number + b"]" * MAX_DEPTH)

    for _ in range(MAX_DEPTH):
        (value,) = value
    assert value == int(number)


def test_every_value_that_cannot_be_kept_is_named_by_its_pointer() -> None:
    with pytest.raises(JsonValueError) as caught:
        read_json(rb'{"a": [0, NaN, 1e999], "b/c": {"d~": -Infinity}, "e": "\u0000", "f": {"\ud800": 1}}')

    assert [(error.pointer, error.code) for error in caught.value.errors] == [
        ("/a/1", "not_finite"),
        ("/a/2", "not_finite"),
        ("/b~1c/d~0", "not_finite"),
        ("/e", "invalid_text"),
        ("/f", "invalid_text"),
    ]


def test_of_many_values_that_cannot_be_kept_the_first_are_named_and_the_rest_counted() -> None:
    with pytest.raises(JsonValueError) as caught:
        read_json(b"[" + b"NaN," * 999 + b"NaN]")

    assert len(caught.value.errors) == MAX_ERRORS
    assert caught.value.num_left_off == 900
