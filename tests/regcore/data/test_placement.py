from types import SimpleNamespace

import pytest

from regcore.data.placement import MAX_BYTES_IN_MEMORY, placement_of, row_bytes
from regcore.shapes import RowInfo


def _spec(precision="float32", max_memory_bytes=None):
    return SimpleNamespace(
        training=SimpleNamespace(precision=precision), resources=SimpleNamespace(max_memory_bytes=max_memory_bytes)
    )


@pytest.mark.parametrize(
    ("row", "precision", "expected"),
    [
        (RowInfo((3, 4)), "float32", 48),
        (RowInfo((3, 4)), "bfloat16", 48),
        (RowInfo((3, 4)), "float64", 96),
        (RowInfo((5,), tokens=9, varies=True), "float32", 40),
    ],
)
def test_a_row_takes_what_its_numbers_take(row, precision, expected):
    assert row_bytes(row, precision) == expected


def test_size_alone_decides_and_a_jobs_limit_of_memory_lowers_it():
    row, most = RowInfo((256,)), MAX_BYTES_IN_MEMORY // 1024

    assert placement_of(row, most, _spec()) == "memory"
    assert placement_of(row, most + 1, _spec()) == "disk"
    assert placement_of(row, most, _spec("float64")) == "disk"
    assert placement_of(row, 1_000, _spec(max_memory_bytes=2 * 1_024_000)) == "memory"
    assert placement_of(row, 1_001, _spec(max_memory_bytes=2 * 1_024_000)) == "disk"
