import hashlib

import numpy as np
import pytest
import torch

from regcore.data.file_rows import open_rows
from regcore.data.images.preprocessing import fit_known_images
from regcore.data.prepared import PreparedData, Split
from regcore.data.write_rows import write_rows
from regcore.errors import InvalidDataError
from regcore.shapes import RowInfo

TOKENS = Split(
    torch.tensor([[1, 2, 0], [3, 0, 0], [4, 1, 2]]),
    torch.tensor([0, 1, 0]),
    np.array([7, 4, 9]),
    torch.tensor([2, 1, 3]),
    tokens=5,
)


def test_rows_are_fetched_by_number_for_each_member():
    batch = TOKENS.fetch(torch.tensor([[0, 2], [1, 1]]))

    assert TOKENS.info == RowInfo((3,), 5, varies=True)
    assert batch.x.tolist() == [[[1, 2, 0], [4, 1, 2]], [[3, 0, 0], [3, 0, 0]]]
    assert batch.y.tolist() == [[0, 0], [1, 1]]
    assert batch.lengths.tolist() == [[2, 3], [1, 1]]


@pytest.mark.parametrize(("lengths", "tokens", "said"), [([0, 1, 3], 5, "use from 1 to 3"), ([2, 1, 3], 4, "has 4")])
def test_rows_that_no_network_can_read_are_refused(lengths, tokens, said):
    with pytest.raises(InvalidDataError, match=said):
        Split(TOKENS.x, TOKENS.y, None, torch.tensor(lengths), tokens)


def test_every_number_counts_for_the_digest():
    def digest(split):
        found = hashlib.sha256()
        split.identify(found)
        return found.hexdigest()

    other = Split(TOKENS.x, TOKENS.y, None, torch.tensor([2, 1, 2]), tokens=5)

    assert digest(TOKENS) == digest(Split(TOKENS.x.clone(), TOKENS.y, None, TOKENS.lengths, tokens=5))
    assert digest(TOKENS) != digest(other)


def test_rows_are_numbered_from_1_in_memory_and_in_files(tmp_path):
    write_rows(tmp_path, {"validation": [TOKENS]})
    in_files = open_rows(tmp_path)["validation"]
    images = fit_known_images(np.zeros((1, 1, 2, 2)), image_maximum=1.0, standardize=False)

    data = PreparedData(TOKENS, in_files, in_files, images, None, file_places={"validation": np.array([0, 5, 2])})

    numbers = data.row_numbers()
    assert numbers["train"].tolist() == [8, 5, 10]
    assert numbers["validation"].tolist() == [1, 6, 3]
    assert numbers["test"] is None
