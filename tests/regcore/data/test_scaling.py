import statistics
from fractions import Fraction

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from regcore.data.scaling import mean_and_scale


@pytest.mark.parametrize("num_rows", [1, 2, 3, 112, 113, 1000, 100_000])
def test_constant_columns_become_zeros_however_many_rows_there_are(num_rows):
    constants = np.array([14.62, 0.1, 1 / 3, 0.0, -1e-9, 1e9 + 0.1, -7e15, 1e-300, 1.3, 2.7, 3.1, 4.9, 5.3])
    train = np.tile(constants, (num_rows, 1))

    means, scales = mean_and_scale(train, axes=(0,))

    assert scales.tolist() == StandardScaler().fit(train).scale_.tolist() == [1.0] * 13
    assert not ((train - means) / scales).any()


def test_columns_that_differ_by_rounding_alone_are_constant():
    train = np.tile([[0.1 + 0.2], [0.3]], (50, 13))

    _, scales = mean_and_scale(train, axes=(0,))

    assert scales.tolist() == [1.0] * 13


@pytest.mark.parametrize("num_rows", [3, 1000, 100_000])
@pytest.mark.parametrize(("offset", "step"), [(1e9, 1e-3), (1.0, 1e-12), (-1e6, 1e-7), (0.0, 1e-30), (1e15, 1.0)])
def test_columns_that_vary_a_little_around_much_are_scaled(num_rows, offset, step):
    column = offset + step * np.random.default_rng(0).integers(0, 20, num_rows)
    exact = (statistics.mean(map(Fraction, column)), statistics.pstdev(map(Fraction, column)))

    means, scales = mean_and_scale(np.tile(column[:, None], (1, 13)), axes=(0,))

    assert means[0] == pytest.approx(float(exact[0]), rel=1e-15)
    assert scales[0] == pytest.approx(float(exact[1]), rel=1e-12)
