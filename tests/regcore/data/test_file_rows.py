import hashlib
import json
import os
import tracemalloc

import pytest
import torch

from regcore.data.file_rows import MANIFEST, Slab, open_rows
from regcore.data.prepared import Split
from regcore.data.rows import chunks
from regcore.data.write_rows import write_rows
from regcore.errors import InvalidDataError

CPU = torch.device("cpu")


def split_of(kind, num_rows=101, seed=0):
    draws = torch.Generator().manual_seed(seed)
    y = torch.randint(4, (num_rows,), generator=draws)
    if kind == "images":
        return Split(torch.rand(num_rows, 3, 5, 4, generator=draws), y)
    if kind == "numbers":
        return Split(torch.rand(num_rows, 3, generator=draws), torch.rand(num_rows, generator=draws))
    x = torch.randint(9, (num_rows, 6), generator=draws)
    return Split(x, y, lengths=torch.randint(1, 7, (num_rows,), generator=draws), tokens=9)


def parts_of(split, *sizes):
    lengths = [None] * len(sizes) if split.lengths is None else split.lengths.split(sizes)
    pairs = zip(split.x.split(sizes), split.y.split(sizes), lengths, strict=True)
    return (Split(x, y, lengths=own, tokens=split.tokens) for x, y, own in pairs)


def assert_same(found, expected):
    for name in ("x", "y", "lengths"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=0, atol=0)


@pytest.mark.parametrize("slab_bytes", [1, 3000, 2**20], ids=["a block", "some blocks", "all"])
@pytest.mark.parametrize("kind", ["images", "numbers", "tokens"])
def test_rows_are_those_that_were_written(tmp_path, kind, slab_bytes):
    train, test = split_of(kind), split_of(kind, 12, seed=1)
    write_rows(tmp_path, {"train": parts_of(train, 40, 1, 60), "validation": [], "test": [test]}, block_bytes=700)

    splits = open_rows(tmp_path, slab_bytes=slab_bytes)

    assert splits.keys() == {"train", "test"}
    assert (splits["train"].info, len(splits["train"])) == (train.info, 101)
    draws = torch.Generator().manual_seed(2)
    for _ in range(5):
        numbers = torch.randint(101, (2, 33), generator=draws)
        assert_same(splits["train"].fetch(numbers), train.fetch(numbers))
        assert_same(splits["test"].fetch(numbers % 12), test.fetch(numbers % 12))


def test_the_manifest_has_the_digest_of_each_file_and_tells_the_rows_apart(tmp_path):
    def identity(folder):
        digest = hashlib.sha256()
        open_rows(folder)["train"].identify(digest)
        return digest.hexdigest()

    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        manifest = write_rows(tmp_path / name, {"train": [split_of("images", seed=seed)]})

    expected = hashlib.sha256((tmp_path / "other" / "train.rows").read_bytes()).hexdigest()
    assert manifest.splits["train"].sha256 == expected
    assert identity(tmp_path / "one") == identity(tmp_path / "same") != identity(tmp_path / "other")


def test_numbers_come_in_the_precision_that_is_asked_for_and_labels_as_they_are(tmp_path):
    split = split_of("images")
    write_rows(tmp_path, {"train": [split]})

    batch = open_rows(tmp_path, dtype=torch.float64)["train"].fetch(torch.tensor([[4]]))

    assert batch.x.dtype == torch.float64
    assert torch.equal(batch.x[0, 0], split.x[4].double())
    assert batch.y.dtype == torch.int64


def test_going_through_a_file_takes_the_memory_of_its_blocks_alone(tmp_path):
    split = Split(torch.rand(20_000, 100), torch.zeros(20_000, dtype=torch.int64))
    write_rows(tmp_path, {"train": [split]}, block_bytes=2**14)
    slab_bytes = 2**20

    tracemalloc.start()
    try:
        rows = open_rows(tmp_path, slab_bytes=slab_bytes)["train"]
        total = sum(batch.x.double().sum() for batch in chunks(rows, 500, CPU))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert total == pytest.approx(split.x.double().sum().item())
    assert peak_bytes < 2 * slab_bytes < split.x.nbytes / 3


def test_blocks_that_were_asked_for_last_are_not_read_again(tmp_path, monkeypatch):
    manifest = write_rows(tmp_path, {"train": [split_of("images")]}, block_bytes=700)
    rows = open_rows(tmp_path, slab_bytes=4 * manifest.block_bytes)["train"]
    size, read = rows.block_rows, []
    monkeypatch.setattr(Slab, "_read", lambda self, file, first, places, name: read.append((first, len(places))))

    for blocks in ([0, 1, 3], [1, 4, 5], [0, 1, 3]):
        rows.fetch(torch.tensor([blocks]) * size)

    # There is room for four: 5 took the place of 0, which nobody had asked for since; neighbours are one read.
    assert read == [(0, 2), (3, 1), (4, 2), (0, 1)]


def test_a_read_that_the_system_cuts_short_goes_on(tmp_path, monkeypatch):
    split = split_of("images")
    write_rows(tmp_path, {"train": [split]}, block_bytes=700)
    rows = open_rows(tmp_path)["train"]
    whole = os.preadv
    monkeypatch.setattr("os.preadv", lambda file, buffers, at: whole(file, [buffers[0][:301]], at))

    numbers = torch.arange(101).unsqueeze(0)

    assert_same(rows.fetch(numbers), split.fetch(numbers))


def test_files_that_are_not_whole_are_refused(tmp_path):
    write_rows(tmp_path, {"train": [split_of("images")]}, block_bytes=700)
    path, manifest = tmp_path / "train.rows", tmp_path / MANIFEST
    rows = open_rows(tmp_path)["train"]

    with path.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(InvalidDataError, match="cut short while it was read"):
        rows.fetch(torch.tensor([[100]]))
    with pytest.raises(InvalidDataError, match=r"train.rows must have .* bytes for 101 rows; it has 1,000"):
        open_rows(tmp_path)
    path.unlink()
    with pytest.raises(InvalidDataError, match=r"train.rows cannot be read: No such file"):
        open_rows(tmp_path)
    manifest.write_text(json.dumps({"format_version": 9}))
    with pytest.raises(InvalidDataError, match="format_version 1; received 9"):
        open_rows(tmp_path)
    manifest.unlink()
    with pytest.raises(InvalidDataError, match=r"manifest.json of the data set cannot be read"):
        open_rows(tmp_path)


def test_rows_lie_where_torch_lays_them(tmp_path):
    """Where a matrix begins decides the last bits of its products, and so whether a run can be repeated."""
    write_rows(tmp_path, {"train": [split_of("images")]}, block_bytes=700)
    rows = open_rows(tmp_path, dtype=torch.float32)["train"]

    batches = [rows.fetch(torch.arange(num_rows).view(1, -1)) for num_rows in range(1, 12)]

    assert {batch.x.data_ptr() % 64 for batch in batches} == {0}
