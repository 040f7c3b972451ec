"""Which kind of file it is."""

from pathlib import Path

import pytest

from regcore.data.tables.read.find_format import find_format, said_format
from regcore.errors import InvalidDataError

PARQUET = b"PAR1\x15\x04"
ZIP = b"PK\x03\x04rest"
CSV = b"a,b\n1,2\n"
JSON = b'{"a": 1}\n'


def _found(folder: Path, content: bytes, name: str = "upload", said: str | None = None) -> str:
    path = folder / "content"
    path.write_bytes(content)
    return find_format(path, name, said_format(said))


@pytest.mark.parametrize(
    ("content", "name", "said", "format"),
    [
        pytest.param(CSV, "upload", None, "csv", id="text without a name"),
        pytest.param(JSON, "upload", None, "jsonl", id="an object without a name"),
        pytest.param(b'\xef\xbb\xbf\n[{"a": 1}]', "upload", None, "jsonl", id="an array without a name"),
        pytest.param(PARQUET, "upload", None, "parquet", id="Parquet without a name"),
        pytest.param(ZIP, "upload", None, "npz", id="NPZ without a name"),
        pytest.param(PARQUET, "rows.parquet", "application/octet-stream", "parquet", id="bytes of any kind"),
        pytest.param(ZIP, "upload", "application/octet-stream", "npz", id="bytes that are NPZ"),
        pytest.param(CSV, "upload", "text/csv; charset=utf-8", "csv", id="a media type with parameters"),
        pytest.param(CSV, "rows.txt", "text/plain", "csv", id="plain text"),
        pytest.param(JSON, "upload", "text/plain", "jsonl", id="plain text that is JSON"),
        pytest.param(JSON, "upload", "application/x-ndjson", "jsonl", id="said to be JSONL"),
        pytest.param(CSV, "ROWS.CSV.GZ", None, "csv", id="a name in capitals, once gzipped"),
        pytest.param(CSV, "rows.jsonl", "csv", "csv", id="what is said goes before the name"),
        pytest.param(b"[id],{x}\n1,2\n", "rows.csv", None, "csv", id="brackets in a header"),
        pytest.param(b"PAR1,PAR2\n1,2\n", "rows.csv", None, "csv", id="a column named like the magic word"),
        pytest.param(b"PK,name\n1,2\n", "rows.csv", None, "csv", id="a column named like a ZIP archive"),
        pytest.param(b"PAR1PAR1", "rows.parquet", None, "parquet", id="a damaged Parquet file, for its reader to say"),
        pytest.param(b"\xff\xfea\0,\0b\0\n\0", "upload", None, "csv", id="UTF-16"),
    ],
)
def test_content_then_word_then_name_decide(
    tmp_path: Path, content: bytes, name: str, said: str | None, format: str
) -> None:
    assert _found(tmp_path, content, name, said) == format


@pytest.mark.parametrize(
    ("content", "name", "said", "message"),
    [
        (PARQUET, "upload", "text/csv", "said to be CSV, and its content is Parquet"),
        (PARQUET, "rows.csv", None, "named as CSV, and its content is Parquet"),
        (ZIP, "rows.parquet", None, "named as Parquet, and its content is a ZIP archive"),
        (CSV, "upload", "parquet", "said to be Parquet, and its content begins with b'a,b"),
        (CSV, "rows.npz", None, "named as NPZ, and its content begins"),
        (JSON, "rows.csv", None, "named as CSV, and its content is JSON"),
        (b"", "rows.csv", None, "empty"),
        (b"\x93NUMPY\1\0", "x.npy", None, "one NumPy array"),
        (b"\xd0\xcf\x11\xe0", "rows.xls", None, "Excel workbook"),
        (b"BZh91AY&SY", "rows.csv.bz2", None, "packed by bzip2"),
        (b"\x28\xb5\x2f\xfd", "rows.csv.zst", None, "packed by zstd"),
        (b"\x89PNG\r\n", "rows.csv", "text/csv", "PNG image"),
        (b"\x80\x04\x95rest", "rows.pkl", None, "pickle, which is never read"),
        (b"  <!DOCTYPE html><html>", "rows.csv", None, "page"),
        (b"\xef\xbb\xbf<?xml version", "rows.csv", None, "page or document"),
    ],
)
def test_another_kind_of_file_is_refused_by_what_it_is(
    tmp_path: Path, content: bytes, name: str, said: str | None, message: str
) -> None:
    with pytest.raises(InvalidDataError, match=message) as caught:
        _found(tmp_path, content, name, said)

    assert caught.value.remedy


def test_an_unknown_word_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"csv, parquet, jsonl, npz.*received 'excel'"):
        said_format("excel")
