"""Gzipped files."""

import gzip
from pathlib import Path

import pytest

from regcore.data.tables.limits import MIN_BOMB_BYTES, Limits
from regcore.data.tables.read.gzip import unpack_gzip
from regcore.errors import InvalidDataError

CONTENT = bytes(range(256)) * 20_000


def _packed(folder: Path, content: bytes) -> Path:
    path = folder / "rows.csv.gz"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "packed",
    [gzip.compress(CONTENT, mtime=0), gzip.compress(CONTENT[:100], mtime=0) + gzip.compress(CONTENT[100:], mtime=0)],
    ids=["one member", "two members"],
)
def test_the_content_is_unpacked(tmp_path: Path, packed: bytes) -> None:
    unpack_gzip(_packed(tmp_path, packed), tmp_path / "rows", Limits())

    assert (tmp_path / "rows").read_bytes() == CONTENT


@pytest.mark.parametrize("num_bytes", [5, 30, -9, -1])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, num_bytes: int) -> None:
    path = _packed(tmp_path, gzip.compress(CONTENT)[:num_bytes])

    with pytest.raises(InvalidDataError, match="ends too early") as caught:
        unpack_gzip(path, tmp_path / "rows", Limits())

    assert "send it again" in caught.value.remedy


@pytest.mark.parametrize("place", [12, -6, -2], ids=["content", "checksum", "length"])
def test_a_damaged_file_is_refused(tmp_path: Path, place: int) -> None:
    content = bytearray(gzip.compress(CONTENT))
    content[place] ^= 0xFF

    with pytest.raises(InvalidDataError, match="damaged"):
        unpack_gzip(_packed(tmp_path, bytes(content)), tmp_path / "rows", Limits())


def test_what_follows_the_packed_content_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="damaged"):
        unpack_gzip(_packed(tmp_path, gzip.compress(CONTENT) + b"rubbish"), tmp_path / "rows", Limits())


def test_a_bomb_is_refused_while_it_unpacks(tmp_path: Path) -> None:
    path = _packed(tmp_path, gzip.compress(b"1,2,3\n" * (MIN_BOMB_BYTES // 3)))

    with pytest.raises(InvalidDataError, match="more than 200 times its size"):
        unpack_gzip(path, tmp_path / "rows", Limits())

    assert (tmp_path / "rows").stat().st_size < MIN_BOMB_BYTES + 2_000_000


def test_more_than_may_be_unpacked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="more than 1,000 bytes"):
        unpack_gzip(_packed(tmp_path, gzip.compress(CONTENT)), tmp_path / "rows", Limits(max_unpacked_bytes=1_000))
