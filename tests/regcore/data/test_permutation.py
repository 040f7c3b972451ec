import numpy as np
import pytest
from scipy import stats

from regcore.data.permutation import WINDOW_BLOCKS, blockwise, scattered


@pytest.mark.parametrize("size", [1, 2, 3, 7, 97, 1000, 4096])
def test_each_number_comes_once_and_depends_on_its_place_alone(size):
    places = np.arange(size)

    orders = {
        "scattered": lambda some: scattered(some, size, 5),
        "blocks of 3": lambda some: blockwise(some, size, 3, 5),
        "a block": lambda some: blockwise(some, size, 5000, 5),
        "blocks of 1": lambda some: blockwise(some, size, 1, 5),
    }

    for name, order in orders.items():
        whole = order(places)
        assert np.array_equal(np.sort(whole), places), name
        assert np.array_equal(order(places[size // 3 :][::2]), whole[size // 3 :][::2]), name


def test_every_number_is_as_likely_at_every_place_and_beside_every_other():
    size, num_seeds = 30, 4000
    orders = np.stack([scattered(np.arange(size), size, seed) for seed in range(num_seeds)])

    at_places = np.stack([np.bincount(column, minlength=size) for column in orders.T])
    pairs = np.bincount(orders[:, 0] * size + orders[:, 1], minlength=size**2).reshape(size, size)

    chi2 = ((at_places - num_seeds / size) ** 2 / (num_seeds / size)).sum()
    assert stats.chi2.sf(chi2, (size - 1) ** 2) > 1e-3
    assert stats.chisquare(pairs[~np.eye(size, dtype=bool)]).pvalue > 1e-3


def test_a_place_far_out_among_very_many_rows_needs_no_table():
    places = np.arange(10**11, 10**11 + 50)

    found = blockwise(places, 10**12 + 7, 300, 1)

    assert len(np.unique(found)) == 50
    assert found.min() >= 0
    assert found.max() < 10**12 + 7


def test_a_window_of_places_reads_a_window_of_blocks():
    block_rows, size = 8, 8 * 1000 + 3
    width = block_rows * WINDOW_BLOCKS

    found = blockwise(np.arange(size), size, block_rows, 2)

    windows = [found[begin : begin + width] // block_rows for begin in range(0, size, width)]
    # The short block may split the first and the last of a window.
    assert max(len(np.unique(blocks)) for blocks in windows) <= WINDOW_BLOCKS + 1


def test_batches_of_rows_sorted_by_class_vary_as_little_as_is_promised():
    size, batch_size = 100_000, 64
    y = np.arange(size) * 10 // size
    variances = []

    for seed in range(3):
        order = blockwise(np.arange(size), size, 32, seed)
        shares = (y[order[: size // batch_size * batch_size].reshape(-1, batch_size)] == 0).mean(1)
        variances.append(shares.var())

    of_full_shuffle = 0.1 * 0.9 / batch_size
    assert np.mean(variances) / of_full_shuffle < 1.3 * (1 + (batch_size - 1) / WINDOW_BLOCKS)
