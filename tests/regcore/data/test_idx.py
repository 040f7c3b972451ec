import gzip
import struct
import tempfile
from types import SimpleNamespace

import numpy as np
import pytest

from regcore.data.idx import read_idx, read_split
from regcore.data.load import load


def write_idx(path, content, *shape):
    with gzip.open(path, "wb", compresslevel=1) as packed:
        packed.write(struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + content)


def write_fashion(folder):
    for part, num_rows in (("train", 60_000), ("t10k", 10_000)):
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", b"\x33" * (num_rows * 784), num_rows, 28, 28)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", bytes(range(10)) * (num_rows // 10), num_rows)


def test_an_array_is_read_with_its_axes(tmp_path):
    write_idx(tmp_path / "x.gz", bytes(range(12)), 2, 2, 3)

    array = read_idx(tmp_path / "x.gz")

    assert array.tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]


@pytest.mark.parametrize("content", [bytes(5), bytes(7)])
def test_too_few_or_too_many_bytes_are_an_error(tmp_path, content):
    write_idx(tmp_path / "x.gz", content, 2, 3)

    with pytest.raises(ValueError, match="does not match its axes"):
        read_idx(tmp_path / "x.gz")


def test_what_is_not_bytes_is_an_error(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"\0\0\x0d\x01" + bytes(8)))

    with pytest.raises(ValueError, match=r"expected an IDX file of bytes in x\.gz"):
        read_idx(tmp_path / "x.gz")


def test_each_part_has_its_own_files(tmp_path):
    for part, number in (("train", 1), ("t10k", 2)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", bytes([number] * 4), 1, 2, 2)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", bytes([number]), 1)

    parts = [read_split(tmp_path, part) for part in ("train", "t10k")]

    assert [(images.ravel().tolist(), labels.tolist()) for images, labels in parts] == [([1] * 4, [1]), ([2] * 4, [2])]


def test_a_set_is_read_where_it_lies_and_nothing_temporary_is_made(tmp_path, monkeypatch):
    (tmp_path / "fashion-mnist").mkdir()
    write_fashion(tmp_path / "fashion-mnist")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "there is no such folder"))

    raw = load(SimpleNamespace(kind="torchvision", name="FashionMNIST"), tmp_path)

    assert raw.official_test is not None
    assert (raw.x.shape, raw.official_test[0].shape) == ((60_000, 1, 28, 28), (10_000, 1, 28, 28))
    assert np.unique(raw.x).tolist() == [np.float32(0.2)]
    assert np.bincount(raw.y).tolist() == [6000] * 10
