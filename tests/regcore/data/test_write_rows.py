import pytest
import torch

from regcore.data.file_rows import MANIFEST
from regcore.data.prepare import Split
from regcore.data.write_rows import write_rows


def split_of(*shape, dtype=torch.float32):
    return Split(torch.zeros(shape, dtype=dtype), torch.zeros(shape[0], dtype=torch.int64))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"train": [split_of(3, 2), split_of(3, 4)]}, r"train rows .* x float32 \(2,\).*received .* x float32 \(4,\)"),
        ({"train": [split_of(3, 2)], "test": [split_of(3, 2, dtype=torch.float64)]}, "test rows .* x float64"),
    ],
    ids=["shape", "precision"],
)
def test_rows_unlike_those_before_are_refused_and_leave_no_manifest(tmp_path, first, second):
    write_rows(tmp_path, {"train": [split_of(2, 2)]})

    with pytest.raises(ValueError, match=second):
        write_rows(tmp_path, first)

    assert not (tmp_path / MANIFEST).exists()


def test_a_set_without_rows_is_refused(tmp_path):
    with pytest.raises(ValueError, match="rows in at least one split"):
        write_rows(tmp_path, {"train": []})


def test_rows_larger_than_a_block_have_a_block_each(tmp_path):
    manifest = write_rows(tmp_path, {"train": [split_of(3, 100)]}, block_bytes=64)

    assert manifest.block_rows == 1
    assert (tmp_path / "train.rows").stat().st_size == 3 * 408
