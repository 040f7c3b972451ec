import pytest

from regcore.data.features import TableFeatures
from regcore.data.modalities import choose_inputs
from regcore.data.tables.read.arrays import table_of
from regcore.spec.data import ArraysData

TABLE = table_of({"age": [1.0, 2.0], "city": ["a", "b"], "y": ["p", "q"]})


@pytest.mark.parametrize("features", [None, TableFeatures(max_categories=1)])
def test_a_table_is_one_unless_features_say_otherwise(features):
    chosen = choose_inputs(TABLE.facts, ArraysData(kind="arrays", features=features), "y", [])

    assert chosen.modality == "table"
    assert chosen.features == (features or TableFeatures())
    assert chosen.row.shape == ((3 if features else 4),)
