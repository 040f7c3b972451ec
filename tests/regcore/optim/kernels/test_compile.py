import numpy as np

from regcore.optim.kernels.compile import compile_kernel
from regcore.optim.kernels.library import _linked
from regcore.optim.kernels.table import BLOCK, GRADIENT, NUM_ADDRESSES, NUM_PARTS, SLOT, WEIGHT


def test_compiled_code_computes_without_numba():
    kernel = _linked("second_moment", compile_kernel("adaptive", "second_moment", "float64"))
    weight, gradient, square = np.ones(3), np.array([1.0, 2.0, 3.0]), np.full(3, 4.0)
    addresses = np.zeros((1, NUM_ADDRESSES), np.int64)
    for place, array in ((WEIGHT, weight), (GRADIENT, gradient), (SLOT, square)):
        addresses[0, place] = array.ctypes.data
    tables = [addresses, np.array([3]), np.array([0, 1]), np.zeros((1, 1, NUM_PARTS)), np.array([[[0.5, 0.25]]])]
    scratch = np.zeros((2, BLOCK))

    kernel(*(table.ctypes.data for table in [*tables, scratch]), 1, 1, 2, 0, 1)

    assert square.tolist() == [2.25, 3.0, 4.25]
