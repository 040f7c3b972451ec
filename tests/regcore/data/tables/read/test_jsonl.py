"""Rows as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from regcore.data.tables.limits import Limits
from regcore.data.tables.read.jsonl import read_jsonl
from regcore.errors import InvalidDataError


def _read(folder: Path, content: str | bytes, limits: Limits | None = None) -> dict[str, list[Any]]:
    path = folder / "rows.jsonl"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    read = read_jsonl(path, limits or Limits(), lambda share: None)
    return {name: column.to_pylist() for name, column in zip(read.names, read.columns, strict=True)}


@pytest.mark.parametrize(
    ("spelled", "values"),
    [
        pytest.param(["1", "-2", "null"], [1, -2, None], id="whole numbers"),
        pytest.param(["1", "0.5", "1e3"], [1.0, 0.5, 1000.0], id="fractions"),
        pytest.param(["true", "false", "null"], [True, False, None], id="booleans"),
        pytest.param(['"a"', '""', "null"], ["a", "", None], id="text"),
        pytest.param(['"Gr\\u00f6\\u00dfe \\ud83d\\ude00"'], ["Größe 😀"], id="escapes"),
        pytest.param(["9007199254740993", "null"], [2**53 + 1, None], id="beyond 2**53 beside a gap"),
        pytest.param(["9007199254740993", "0.5"], ["9007199254740993", "0.5"], id="beyond 2**53 beside a fraction"),
        pytest.param(["18446744073709551616"], ["18446744073709551616"], id="beyond 64 bits"),
        pytest.param(["1e999", "1"], ["1e999", "1"], id="beyond a float"),
        pytest.param(["1.10", '"x"', "true"], ["1.10", "x", "true"], id="of several kinds, as spelled"),
        pytest.param(["null", "null"], [None, None], id="gaps alone"),
    ],
)
def test_values_keep_what_they_are(tmp_path: Path, spelled: list[str], values: list[Any]) -> None:
    lines = "".join(f'{{"a": {value}}}\n' for value in spelled)

    assert _read(tmp_path, lines) == {"a": values}


def test_not_a_number_is_kept_for_the_reading_of_numbers(tmp_path: Path) -> None:
    (values,) = _read(tmp_path, '{"a": NaN}\n{"a": 1.5}\n').values()

    assert str(values) == "[nan, 1.5]"


def test_a_name_that_a_row_lacks_is_a_gap_there(tmp_path: Path) -> None:
    content = '{"a": 1, "b": "x"}\n{"c": true}\n{"b": "y", "a": 2}\n{}\n'

    assert _read(tmp_path, content) == {
        "a": [1, None, 2, None],
        "b": ["x", None, "y", None],
        "c": [None, True, None, None],
    }


def test_a_name_that_comes_late_begins_with_gaps(tmp_path: Path) -> None:
    lines = ['{"a": 1}'] * 25_000 + ['{"a": "x", "late": 2}']

    read = _read(tmp_path, "\n".join(lines))

    assert read["a"] == ["1"] * 25_000 + ["x"]
    assert read["late"] == [None] * 25_000 + [2]


@pytest.mark.parametrize(
    "content",
    [
        b'\xef\xbb\xbf{"a": 1}\n{"a": 2}\n',
        b'{"a": 1}\r\n\r\n  \n{"a": 2}',
        b'[{"a": 1}, {"a": 2}]',
        b'\xef\xbb\xbf\n [\n  {"a": 1},\n  {"a": 2}\n]\n\n',
    ],
    ids=["byte-order mark", "blank lines and CRLF", "array in a line", "array in lines"],
)
def test_layouts_of_the_same_rows(tmp_path: Path, content: bytes) -> None:
    assert _read(tmp_path, content) == {"a": [1, 2]}


def test_an_array_of_many_pieces_is_read_whole(tmp_path: Path) -> None:
    rows = [{"a": number, "text": f'{{"[,]{number}' * (number % 50)} for number in range(20_000)]

    read = _read(tmp_path, json.dumps(rows, ensure_ascii=False))

    assert [{"a": a, "text": text} for a, text in zip(read["a"], read["text"], strict=True)] == rows


@pytest.mark.parametrize(
    ("content", "said", "details"),
    [
        ('{"a": 1}\n{"a": [1]}\n', "Line 2: 'a' holds a list", {"line": 2, "row": 2, "column": "a"}),
        ('{"a": 1}\n\n{"a": {"b": 1}}\n', "Line 3: 'a' holds an object", {"line": 3, "row": 2, "column": "a"}),
        ('{"a": 1, "a": 2}', "Line 1 repeats the name 'a'", {"line": 1, "row": 1}),
        ('{"a": 1}\n{"a": 2', "Line 2 is not JSON", {"line": 2, "row": 2}),
        ('{\n  "a": 1\n}\n', "Line 1 is not JSON", {"line": 1, "row": 1}),
        ('{"a": 1} {"a": 2}', "Line 1 is not JSON: Extra data", {"line": 1, "row": 1}),
        ('{"a": 1}\n7\n', "Line 2 is JSON but not an object", {"line": 2, "row": 2}),
        ("[1, 2]", "Row 1 is JSON but not an object", {"row": 1}),
        ('[{"a": 1}, {"a": [1]}]', "Row 2: 'a' holds a list", {"row": 2, "column": "a"}),
        ('[{"a": 1},]', "Row 2 is not JSON", {"row": 2}),
        ('[{"a": 1} {"a": 2}]', "Row 2 is not JSON: Expected ','", {"row": 2}),
        ('[{"a": 1}', "Row 2 is not JSON", {"row": 2}),
        ('[{"a": 1}]\n{"a": 2}', "Row 2 is not JSON: Nothing was expected after", {"row": 2}),
        ('{"a": "\\ud800"}', "half of a surrogate pair", {"line": 1, "row": 1, "column": "a"}),
        ('{"a":' * 5_000, "nested too deeply", {"line": 1, "row": 1}),
        ("[" * 5_000, "nested too deeply", {"row": 1}),
        (b'{"a": "\xff"}', "Line 1 is not UTF-8: byte 0xff", {"line": 1, "row": 1}),
        (b'[{"a": "\xff"}]', "Row 1 is not UTF-8: byte 0xff", {"row": 1}),
        ("[]", "no rows", {}),
        ("\n\n", "no rows", {}),
        ("{}\n{}\n", "no columns", {}),
    ],
)
def test_what_is_no_row_is_refused_with_its_place(
    tmp_path: Path, content: str | bytes, said: str, details: dict[str, Any]
) -> None:
    with pytest.raises(InvalidDataError, match=said.replace("[", r"\[")) as caught:
        _read(tmp_path, content)

    assert caught.value.details == details
    assert caught.value.remedy


@pytest.mark.parametrize("content", ['{"a": "%s"}', '[{"a": "%s"}]'], ids=["line", "array"])
def test_a_row_that_is_too_long_is_refused_without_being_held(tmp_path: Path, content: str) -> None:
    with pytest.raises(InvalidDataError, match="more than 1,000 bytes"):
        _read(tmp_path, content % ("x" * 3_000_000), Limits(max_row_bytes=1_000))


def test_too_many_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="11 columns, and may have 10"):
        _read(tmp_path, "".join(f'{{"a{number}": 1}}\n' for number in range(11)), Limits(max_columns=10))
