import numpy as np
import pytest
import torch
from effects import augmented
from scipy.stats import chisquare

from regcore.data.rows import Batch
from regcore.data.tables.encode import EncodedColumn, TablePreprocessing
from regcore.data.tables.facts import Reading
from regcore.regularizers import Surroundings
from regcore.regularizers.swap_noise import SwapNoise
from regcore.shapes import RowInfo
from regcore.tasks import Classification

NUM_ROWS = 50


def rows_by_number(num_columns):
    """Each number says its row and its column: row + 1000 · column."""
    x = torch.arange(NUM_ROWS, dtype=torch.float64).unsqueeze(1) + 1000 * torch.arange(num_columns)
    return Batch(x.unsqueeze(0), torch.zeros(1, NUM_ROWS, dtype=torch.int64))


@pytest.mark.parametrize("p", [0.1, 0.5, 1.0])
def test_cells_come_from_any_row_of_the_same_column_as_often_as_is_asked(p):
    batch = rows_by_number(200)

    x = augmented([SwapNoise(p=p)], batch).x[0]

    assert torch.equal(x // 1000, batch.x[0] // 1000)
    is_other = x != batch.x[0]
    rate = p * (1 - 1 / NUM_ROWS)  # a row may be its own partner
    assert float(is_other.double().mean()) == pytest.approx(rate, abs=0.02)
    assert chisquare(np.bincount((x % 1000)[is_other].long(), minlength=NUM_ROWS)).pvalue > 1e-3


def test_a_cell_of_a_table_moves_with_all_its_places():
    reading = Reading(num_missing=0, num_distinct=0)
    columns = [EncodedColumn("a", "category", reading, 3), EncodedColumn("b", "number", reading, 2, marks_gaps=True)]
    preprocessing = TablePreprocessing((*columns, EncodedColumn("c", "number", reading, 1)))
    batch = rows_by_number(6)

    x = augmented([SwapNoise(p=0.5)], batch, preprocessing=preprocessing).x[0]

    sources = x % 1000
    assert (sources[:, :3] == sources[:, :1]).all()
    assert torch.equal(sources[:, 3], sources[:, 4])
    assert not torch.equal(sources[:, 0], sources[:, 3])
    assert not torch.equal(sources[:, 4], sources[:, 5])


def test_p_0_swaps_nothing_and_each_member_draws_as_it_would_alone():
    batch = rows_by_number(6)
    members = [SwapNoise(p=p) for p in (0.0, 0.3, 1.0)]

    together = augmented(members, batch).x

    assert torch.equal(together[:1], batch.x)
    for k, member in enumerate(members):
        assert torch.equal(together[k : k + 1], augmented([member], batch, seeds=(k + 1,)).x)


@pytest.mark.parametrize("row", [RowInfo((7, 3), varies=True), RowInfo((7,), tokens=9, varies=True)])
def test_rows_without_columns_are_refused(row):
    assert "needs rows of one length" in SwapNoise(p=0.1).needs(Surroundings(Classification, 1, row=row))
