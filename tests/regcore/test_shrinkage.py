import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from scipy.optimize import minimize_scalar

from regcore.shrinkage import l1_norms, shrink_, squared_norms

weights = st_numpy.arrays(np.float64, (2, 3), elements=st.floats(-10, 10))


@given(weight=weights, first=st.floats(0, 5), second=st.floats(0, 5), reach=st.floats(0.01, 2))
def test_each_weight_moves_towards_zero_by_its_members_threshold_and_stops_there(weight, first, second, reach):
    shrunk = torch.from_numpy(weight.copy())

    shrink_(shrunk, [first, second], [reach, reach])

    for k, strength in enumerate((first, second)):
        for before, after in zip(weight[k], shrunk[k].tolist(), strict=True):
            if abs(before) <= strength * reach:
                assert after == 0
            else:
                assert abs(after) == pytest.approx(abs(before) - strength * reach, abs=1e-12)
                assert np.sign(after) in (0, np.sign(before))


@pytest.mark.parametrize("num_weights", [100, 20_000])
def test_a_member_of_many_shrinks_as_it_does_alone_to_the_bit(num_weights):
    weight = torch.randn(3, num_weights, 2)
    alone = [row.clone() for row in weight.split(1)]
    strengths, reach = [0.1, 0.3, 0.0], [0.7, 1.1, 0.5]

    shrink_(weight, strengths, reach)

    for k, row in enumerate(alone):
        shrink_(row, [strengths[k]], [reach[k]])
        assert torch.equal(weight[k : k + 1], row)


@pytest.mark.parametrize("w", [-2.0, -0.4, 0.0, 0.3, 1.7])
def test_it_is_the_proximal_operator_of_the_absolute_value(w):
    shrunk = torch.tensor([[w]], dtype=torch.float64)

    shrink_(shrunk, [0.5], [0.8])

    nearest = minimize_scalar(lambda v: 0.5 * (v - w) ** 2 + 0.4 * abs(v), bounds=(-3, 3), method="bounded")
    assert shrunk.item() == pytest.approx(nearest.x, abs=1e-4)


@pytest.mark.parametrize("strengths", [[0.5, 0.5], [0.5, 1.0]])
def test_the_reach_may_differ_by_coordinate(strengths):
    weight = torch.full((2, 3), 2.0)
    reach = torch.tensor([[0.1, 1.0, 9.0], [0.1, 1.0, 9.0]])

    shrink_(weight, strengths, reach)

    expected = [[2 - 0.05, 1.5, 0.0], [2 - 0.1 * strengths[1], 2 - strengths[1], 0.0]]
    torch.testing.assert_close(weight, torch.tensor(expected))


def test_norms_of_large_members_are_those_of_small_ones():
    weight = torch.randn(2, 20_000)
    pieces = list(weight.split(1000, dim=1))

    torch.testing.assert_close(l1_norms([weight]), l1_norms(pieces))
    torch.testing.assert_close(squared_norms([weight]), squared_norms(pieces))


@given(weight=weights)
def test_norms_are_numpys_per_member_over_all_tensors(weight):
    stacked = [torch.from_numpy(weight[:, :1]), torch.from_numpy(weight[:, 1:]).reshape(2, 1, 2)]

    assert l1_norms(stacked).tolist() == pytest.approx(np.linalg.norm(weight, ord=1, axis=1).tolist())
    assert squared_norms(stacked).tolist() == pytest.approx((np.linalg.norm(weight, axis=1) ** 2).tolist())


def test_norms_are_summed_in_double_precision():
    weight = torch.full((1, 10_000), 1e-4)
    weight[0, 0] = 1e4

    assert l1_norms([weight]).item() == pytest.approx(1e4 + 9999e-4, rel=1e-9)
