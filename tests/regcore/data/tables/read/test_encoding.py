"""Text files of any encoding, decoded to UTF-8."""

import random
from pathlib import Path

import pytest

from regcore.data.tables.read.encoding import as_utf8
from regcore.errors import InvalidDataError

TEXT = "name;größe\nÄnne;1,5\n" + "Zoë;2\n" * 30_000


def write(folder: Path, content: bytes) -> Path:
    path = folder / "rows.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16"),
        ("utf-16-be", "utf-16"),
        ("utf-32", "utf-32"),
        ("latin-1", "latin-1"),
        ("cp1252", "latin-1"),
    ],
)
def test_text_is_the_same_in_every_encoding(codec: str, name: str, tmp_path: Path) -> None:
    found = as_utf8(write(tmp_path, TEXT.encode(codec)), tmp_path)

    assert found.path.read_bytes() == TEXT.encode()
    assert found.encoding == name


def test_signs_of_windows_tell_its_encoding(tmp_path: Path) -> None:
    found = as_utf8(write(tmp_path, "price\n5 € – „net“\n".encode("cp1252")), tmp_path)

    assert found.path.read_text("utf-8") == "price\n5 € – „net“\n"
    assert found.encoding == "windows-1252"


def test_a_guess_names_the_byte_and_its_line(tmp_path: Path) -> None:
    content = b"a,b\n" * 400_000 + "é,1\n".encode("latin-1")

    (warning,) = as_utf8(write(tmp_path, content), tmp_path).warnings

    assert warning.code == "encoding_guessed"
    assert "byte 0xe9 in line 400,001" in warning.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n" * 300_000 + b"x\0y,1\n", "zero byte in line 300,001"),
        ("ä\n".encode() + b"x\n\xe9\n", "UTF-8 up to line 3"),
        ("ä".encode()[:1], "latin-1"),
        ("ab\ncd\n\0".encode("utf-16"), "zero byte in line 3"),
        ("ab\n".encode("utf-16") + b"\x00\xd8\x41\x00", "not from line"),
    ],
    ids=["NUL", "mixed", "cut letter", "NUL in UTF-16", "half a pair"],
)
def test_what_is_no_text_of_one_encoding_is_refused_by_line(content: bytes, message: str, tmp_path: Path) -> None:
    if message == "latin-1":  # one letter, cut off, cannot be told from a letter of Latin-1
        assert as_utf8(write(tmp_path, content), tmp_path).encoding == message
        return
    with pytest.raises(InvalidDataError, match=message):
        as_utf8(write(tmp_path, content), tmp_path)


@pytest.mark.parametrize("seed", range(10))
def test_a_few_random_bytes_are_not_text(seed: int, tmp_path: Path) -> None:
    generator = random.Random(seed)
    content = bytes(generator.choices(range(1, 256), k=300))

    with pytest.raises(InvalidDataError, match="not text"):
        as_utf8(write(tmp_path, content), tmp_path)


def test_a_few_control_characters_are_kept_in_text(tmp_path: Path) -> None:
    content = b"a\x01b,c\x7f\n1,\x02\n"

    assert as_utf8(write(tmp_path, content), tmp_path).path.read_bytes() == content
