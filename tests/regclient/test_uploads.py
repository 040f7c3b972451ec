import gzip
import hashlib
import io
import os
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from regclient import UsageError
from regclient.uploads import ANY, CSV, JSON_LINES, PARQUET, ZIP, Upload, media_type_of, ready_to_send


def sent(source: Any, y: Any = None) -> tuple[Upload, bytes]:
    """What is sent of a source, and the whole body."""
    with ready_to_send(source, y, lambda num_bytes: None) as upload:
        return upload, b"".join(upload.body(lambda num_bytes: None))


def zip_of(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("rows.csv", b"a,b\n", CSV),
        ("ROWS.TSV", b"a\tb\n", CSV),
        ("rows", b"a,b\n", ANY),
        ("rows.data", b"a,b\n", ANY),
        ("rows.json", b"[{}]", JSON_LINES),
        ("rows.csv", b"PAR1,b\n", CSV),
        ("rows.jsonl", b"{}\n", JSON_LINES),
        ("rows.ndjson.gz", gzip.compress(b"{}\n", mtime=0), JSON_LINES),
        ("rows.csv.gz", gzip.compress(b"a,b\n", mtime=0), CSV),
        ("rows.gz", gzip.compress(b"a,b\n", mtime=0), ANY),
        ("rows.csv", b"PAR1\x15...PAR1", PARQUET),
        ("rows.parquet", b"no parquet at all", PARQUET),
        ("arrays.npz", zip_of("x.npy", "y.npy"), ANY),
        ("arrays.zip", zip_of("x.npy"), ANY),
        ("images.zip", zip_of("cat/1.png"), ZIP),
        ("broken.npz", b"PK\x03\x04broken", ANY),
        ("broken.zip", b"PK\x03\x04broken", ANY),
    ],
)
def test_the_media_type_is_found_by_content_and_by_name(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)

    assert media_type_of(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.xlsx", zip_of("xl/workbook.xml")), ("a.xls", b"\xd0\xcf\x11\xe0"), ("a.csv", zip_of("xl/workbook.xml"))],
)
def test_a_workbook_is_refused_with_what_to_do(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(UsageError, match=r"Excel workbook\. Save the sheet as CSV"):
        sent(tmp_path / name)


@pytest.mark.parametrize("size_bytes", [0, 1, 1 << 20, (1 << 20) + 1, 3_000_000])
def test_a_body_is_the_file_in_pieces_and_counted(tmp_path: Path, size_bytes: int) -> None:
    content = os.urandom(size_bytes)
    (tmp_path / "rows.csv").write_bytes(content)
    num_read: list[int] = []
    num_sent: list[int] = []

    with ready_to_send(tmp_path / "rows.csv", None, num_read.append) as upload:
        body = list(upload.body(num_sent.append))

    assert b"".join(body) == content
    assert upload.sha256 == hashlib.sha256(content).hexdigest()
    assert sum(num_read) == sum(num_sent) == upload.size_bytes == size_bytes
    assert max(map(len, body)) <= 1 << 20


FRAMES: dict[str, Callable[[], Any]] = {
    "pandas": lambda: pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=[7, 8]),
    "polars": lambda: pl.DataFrame({"a": [1, 2], "b": ["x", None]}),
    "polars, lazy": lambda: pl.LazyFrame({"a": [1, 2], "b": ["x", None]}),
    "arrow": lambda: pa.table({"a": [1, 2], "b": ["x", None]}),
}


@pytest.mark.parametrize("library", FRAMES)
def test_a_frame_is_sent_as_parquet_and_the_same_frame_as_the_same_bytes(library: str) -> None:
    upload, body = sent(FRAMES[library]())
    again, _ = sent(FRAMES[library]())

    assert parquet.read_table(io.BytesIO(body)).to_pydict() == {"a": [1, 2], "b": ["x", None]}
    assert (upload.media_type, upload.name) == (PARQUET, None)
    assert upload.sha256 == again.sha256
    assert not upload.path.exists()


def test_arrays_are_sent_as_npz_and_the_same_arrays_as_the_same_bytes() -> None:
    x, y = np.arange(6.0).reshape(3, 2), np.array(["a", "b", "a"])

    upload, body = sent(x, y)

    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        assert arrays["x"].tolist() == x.tolist()
        assert arrays["y"].tolist() == y.tolist()
    assert upload.media_type == ANY
    assert sent(x, y)[0].sha256 == upload.sha256
    assert not upload.path.exists()


@pytest.mark.parametrize(
    ("source", "y", "said"),
    [
        (np.array([object()]), None, "x: expected an array of numbers"),
        (pd.DataFrame({"a": [1, "x", object()]}), None, "cannot be written as Parquet"),
        (pd.DataFrame({"a": [1]}), [1], "y: a frame holds its target"),
        (__file__, [1], "y: a file holds its own target"),
        ([[1, 2]], None, "received list"),
        (7, None, "received int"),
        ("a\0b.csv", None, "expected the path of a file"),
        ("tests/api", None, "no files that are read as a set"),
    ],
    ids=["objects", "mixed column", "frame and y", "file and y", "list", "number", "NUL", "folder"],
)
def test_what_is_no_table_is_a_usage_error(source: Any, y: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        sent(source, y)


def test_a_pipe_is_read_once_and_can_be_sent_again(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(b"a,b\n1,2\n"))
    writer.start()

    with ready_to_send(tmp_path / "pipe", None, lambda num_bytes: None) as upload:
        bodies = [b"".join(upload.body(lambda num_bytes: None)) for _ in range(2)]
    writer.join()

    assert bodies == [b"a,b\n1,2\n"] * 2


def test_a_dash_is_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n1,2\n")))

    assert sent("-")[1] == b"a,b\n1,2\n"
