import io
import sys
from pathlib import Path

import pytest
import typer

from regclient.cli.json_input import read_object, read_patch

BAD = [
    (b'{"training": {"epochs": 1, "epochs": 3}}', "not valid JSON. The name 'epochs' comes twice in training"),
    (b'{"name": "caf\xe9"}', "Byte 14, 0xe9, is not UTF-8"),
    ("{}".encode("utf-16"), "encoded in UTF-16"),
    (b"", "It is empty"),
    (b'{"a": NaN}', "/a: a must be a finite number"),
    (b'{"a": 1e999}', "/a: a must be a finite number"),
    (rb'{"a": "\ud800"}', "/a: a must be text without NUL"),
    (b'{"a": ' + b"1" * 5000 + b"}", "5,000 digits"),
    (b'{"a":' * 100 + b"1" + b"}" * 100, "nested too deeply"),
    (b"[1]", "expected a JSON object, received list"),
]


def _give(content: bytes, is_stdin: bool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put it into a file or on stdin; returns what the command is given."""
    if is_stdin:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return "-"
    file = folder / "spec.json"
    file.write_bytes(content)
    return str(file)


@pytest.mark.parametrize("is_stdin", [True, False], ids=["stdin", "file"])
@pytest.mark.parametrize(("content", "said"), BAD, ids=[said for _, said in BAD])
def test_what_the_server_would_refuse_is_a_mistake_of_usage(
    content: bytes, said: str, is_stdin: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        read_object(_give(content, is_stdin, tmp_path, monkeypatch))

    assert said in str(caught.value)


@pytest.mark.parametrize("is_stdin", [True, False], ids=["stdin", "file"])
def test_a_byte_order_mark_is_skipped(is_stdin: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = '{"name": "🙂"}'.encode("utf-8-sig")

    assert read_object(_give(content, is_stdin, tmp_path, monkeypatch)) == {"name": "🙂"}


@pytest.mark.parametrize("source", ["no-such-file.json", ".", "a\0b"])
def test_a_file_that_cannot_be_read_is_a_mistake_of_usage(source: str) -> None:
    with pytest.raises(typer.BadParameter, match="Cannot read"):
        read_object(source)


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ('[{"op": "add", "op": "remove"}]', "--patch is not valid JSON. The name 'op' comes twice in 0"),
        ('[{"value": NaN}]', "/0/value: 0.value must be a finite number"),
        ('[{"value": "\udcff"}]', "0xff, is not UTF-8"),
        ("[1]", "a list of JSON Patch operations"),
    ],
)
def test_a_patch_is_read_by_the_same_rules(patch: str, said: str) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        read_patch(patch)

    assert said in str(caught.value)
