import pyarrow as pa

from regcore.data.files.entry import Entry, MediaColumn
from regcore.data.media_facts import TextFacts


def test_a_column_has_a_cell_for_each_file_and_nothing_to_say_by_default():
    entries = [Entry("a/1.txt", 2, lambda: b"hi")]
    cells = pa.chunked_array([[entry.read().decode() for entry in entries]])

    column = MediaColumn(
        cells, TextFacts(num_words=1, num_lowercase_words=1, num_characters=2, max_words=1, max_bytes=2)
    )

    assert column.cells.to_pylist() == ["hi"]
    assert column.warnings == []
