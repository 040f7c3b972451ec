import pyarrow as pa
import pytest

from regcore.data.features import TableFeatures
from regcore.data.tables.inputs import choose_table
from regcore.data.tables.read.arrays import table_of
from regcore.shapes import RowInfo
from regcore.spec.data import ArraysData

TABLE = table_of({"age": [1.0, 2.0, None, 4.0], "city": ["a", "b", "a", "b"], "y": ["p", "q", "p", "q"]})


@pytest.fixture
def chosen():
    errors = []
    inputs = choose_table(TABLE.facts, ArraysData(kind="arrays"), "y", errors)
    assert errors == []
    return inputs


def test_the_columns_of_a_table_have_their_places_and_the_defaults(chosen):
    assert chosen.modality == "table"
    assert chosen.names == ("age", "city")
    assert chosen.row == RowInfo((5,))
    assert chosen.features == TableFeatures()


def test_they_are_read_fitted_and_encoded(chosen):
    columns = chosen.read(TABLE.columns)

    encoder = chosen.fit(columns, standardize=False, given=["age", "city"], target="y")

    encoded = encoder.encode(columns, "float64")
    assert encoder.row == chosen.row
    assert encoded.lengths is None
    assert encoded.x[:, :4].tolist() == [[1, 0, 1, 0], [2, 0, 0, 1], [pytest.approx(7 / 3), 1, 1, 0], [4, 0, 0, 1]]
    assert isinstance(columns["age"], pa.ChunkedArray)
