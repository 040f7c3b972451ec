import numpy as np
import pyarrow as pa
import pytest

from regcore.data.images.arrays import read_array
from regcore.data.tables.find_types import find_facts
from regcore.data.tables.media_column import with_media
from regcore.data.tables.table import read_table, write_table

COLUMN = read_array(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize("others", [pa.table({"label": ["a", "b"]}), pa.table({})])
def test_a_column_of_images_stands_behind_the_others_also_on_disk(others, tmp_path):
    table = with_media(others, find_facts(others, format="zip"), "image", COLUMN, examples=["x/1.png"] * 9)

    write_table(tmp_path / "table.parquet", table)

    for one in (table, read_table(tmp_path / "table.parquet")):
        assert one.columns.column_names == [*others.column_names, "image"]
        assert (one.facts.num_rows, one.facts.modality) == (2, "image")
        column = one.facts.column("image")
        assert (column.type, column.image, column.num_missing, column.examples) == (
            "image",
            COLUMN.facts,
            0,
            ["x/1.png"] * 5,
        )
        assert one.columns["image"].to_pylist() == COLUMN.cells.to_pylist()
        assert one.columns["image"].type == COLUMN.cells.type
    assert [warning.code for warning in table.facts.warnings] == ["pixels_ambiguous"]
