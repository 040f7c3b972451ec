import pytest
import torch

from regcore.data.file_rows import MANIFEST
from regcore.data.prepared import Split
from regcore.data.write_rows import write_rows
from regcore.errors import InvalidDataError


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


@pytest.mark.parametrize("wrong", [3, -1])
def test_a_target_that_is_none_of_the_classes_is_refused_with_its_row(tmp_path, wrong):
    labels = torch.tensor([0, 1, 2])
    good = Split(torch.zeros(3, 2), labels)
    bad = Split(torch.zeros(3, 2), torch.where(labels == 1, wrong, labels))

    with pytest.raises(InvalidDataError, match=f"test row 4 has the target {wrong}; 3 classes have the numbers 0 to 2"):
        write_rows(tmp_path, {"train": [good], "test": [good, bad]}, num_classes=3)

    assert not (tmp_path / MANIFEST).exists()
    assert write_rows(tmp_path, {"train": [good]}, num_classes=3).splits.keys() == {"train"}


def test_targets_that_are_no_whole_numbers_are_no_classes(tmp_path):
    numbers = Split(torch.zeros(3, 2), torch.zeros(3))

    with pytest.raises(InvalidDataError, match=r"expected the numbers of 2 classes.*received torch\.float32"):
        write_rows(tmp_path, {"train": [numbers]}, num_classes=2)
