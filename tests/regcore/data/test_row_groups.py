import numpy as np

from regcore.data.row_groups import RowGroups


def test_each_splits_rows_have_the_number_of_their_group() -> None:
    groups = np.array(["b", "a", "", "b", "a"], dtype=object)

    found = RowGroups.of("patient", groups, {"train": np.array([0, 3]), "test": np.array([4, 2])})

    assert (found.column, found.names) == ("patient", ("", "a", "b"))
    assert [found.names[k] for k in found.numbers["train"]] == ["b", "b"]
    assert [found.names[k] for k in found.numbers["test"]] == ["a", ""]
