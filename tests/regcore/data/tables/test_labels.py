import numpy as np
import pyarrow as pa
import pytest

from regcore.data.tables.labels import as_labels, label_type_of


@pytest.mark.parametrize(
    ("cells", "classes", "expected"),
    [
        (pa.array([True, False]), ["false", "true"], np.array([False, True])),
        (pa.array([3, 12], pa.int8()), ["3", "12"], np.array([3, 12], np.int64)),
        (pa.array([2**64 - 1], pa.uint64()), [str(2**64 - 1)], np.array([2**64 - 1], object)),
        (pa.array([1.0, 2.5]), ["1", "2.5"], np.array([1.0, 2.5])),
        (pa.array(["01", "b"]), ["01", "b"], np.array(["01", "b"])),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_labels_come_back_in_the_type_that_they_were_given_in(cells, classes, expected):
    labels = as_labels(classes, label_type_of(cells.type))

    assert labels.dtype == expected.dtype
    assert labels.tolist() == expected.tolist()
